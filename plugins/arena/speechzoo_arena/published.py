"""MTalk-Bench's printed results: its two protocols under four evaluators, and what it says of these."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

DIMENSIONS = ("semantic", "paralinguistic", "ambient", "overall")
HUMAN = "human"

Protocol = Literal["arena", "rubrics"]
Percent = Annotated[float, Field(ge=0, le=100)]
Row = tuple[float, float, float, float]
Turns = tuple[Percent, Percent, Percent]
Table = Mapping[str, Mapping[str, Row]]
"""By system, then evaluator: semantic, paralinguistic, ambient, overall."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PrintedLean(_Strict):
    """Wins of one side, in percent, with the 95 % interval; the rest, the difference, and stars of p.

    One star is p < 0.05, two 0.01, three 0.001, as usual; the source does not say.
    """

    share: Percent
    low: Percent
    high: Percent
    rest: Percent
    difference: float
    stars: int = Field(ge=0, le=3)


class PrintedBias(_Strict):
    """Leaning to who is heard first and to longer replies, and winner minus loser in seconds."""

    position: PrintedLean
    length: PrintedLean
    seconds: float


class PrintedAgreement(_Strict):
    """Of an evaluator's own arena and rubric choices."""

    rate: float = Field(ge=0, le=1)
    kappa: float = Field(ge=-1, le=1)

    @property
    def chance(self) -> float:
        """The chance level behind kappa: (rate - kappa) / (1 - kappa)."""
        return (self.rate - self.kappa) / (1 - self.kappa)


class PublishedResults(_Strict):
    """All tables.

    Attributes:
        source: where they are printed.
        notes: what a reader must know before comparing.
        arena: Elo ratings in points.
        rubrics: satisfied criteria in percent.
        bias: by evaluator.
        agreement: by evaluator.
        quality_by_turn: rubric score of turns 1 to 3 in percent, by system.
        density_by_turn: content density of turns 1 to 3 in percent, by system.
    """

    source: str
    notes: tuple[str, ...]
    arena: dict[str, dict[str, Row]]
    rubrics: dict[str, dict[str, Row]]
    bias: dict[str, PrintedBias]
    agreement: dict[str, PrintedAgreement]
    quality_by_turn: dict[str, Turns]
    density_by_turn: dict[str, Turns]

    @property
    def systems(self) -> tuple[str, ...]:
        return tuple(self.arena)

    @property
    def evaluators(self) -> tuple[str, ...]:
        """People first."""
        return tuple(self.bias)

    def table(self, protocol: Protocol) -> Table:
        return self.arena if protocol == "arena" else self.rubrics

    def column(self, protocol: Protocol, evaluator: str, dimension: str) -> list[float]:
        """An evaluator's value of each system, in the order of ``systems``."""
        table = self.table(protocol)
        return [table[system][evaluator][DIMENSIONS.index(dimension)] for system in self.systems]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        systems, evaluators = set(self.arena), set(self.bias)
        for name in ("rubrics", "quality_by_turn", "density_by_turn"):
            if set(getattr(self, name)) != systems:
                raise ValueError(f"{name} has other systems than arena")
        for name in ("arena", "rubrics"):
            if any(set(row) != evaluators for row in getattr(self, name).values()):
                raise ValueError(f"{name} lacks an evaluator, or has one that bias lacks")
        if set(self.agreement) != evaluators or HUMAN not in evaluators:
            raise ValueError("agreement has other evaluators than bias, or people are not among them")
        return self


def published_results() -> PublishedResults:
    """What comes with this package, in ``published.yaml``."""
    text = files("speechzoo_arena").joinpath("published.yaml").read_text(encoding="utf-8")
    return PublishedResults.model_validate(yaml.safe_load(text))
