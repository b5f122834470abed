"""Votes and battles, as data.

A vote is one verdict of one judge, a model or a person, on two systems in one order. A battle is what
ratings are made of: one vote, or two of both orders merged.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from speechzoo import SpeechzooError
from speechzoo.run.store import read_lines

FILE = "votes.jsonl"
WITHDRAWN = "withdrawn"
"""Why a vote has no verdict that takes back what the same judge said of the same thing before."""

Verdict = Literal["first", "second", "tie"]
Kind = Literal["model", "human"]
Name = Annotated[str, Field(min_length=1)]
Reason = Annotated[str, Field(pattern=r"^[a-z]+(_[a-z]+)*$")]

SWAPPED: dict[Verdict, Verdict] = {"first": "second", "second": "first", "tie": "tie"}
"""The same verdict with the systems in the other order."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Failed(_Record):
    """Why a vote has no verdict.

    Attributes:
        reason: a snake_case word that reports count by: ``judge_error``, ``invalid_material``, ...
        detail: one sentence with the particulars.
    """

    reason: Reason
    detail: str = ""


class Usage(_Record):
    """What a vote took: tokens in and out, and its cost in US dollars where that is known."""

    input_tokens: int = Field(ge=0)
    output_tokens: int = Field(ge=0)
    cost: float | None = Field(default=None, ge=0)


class Seconds(_Record):
    """Summed length of each system's spoken replies, in the order heard."""

    first: float = Field(ge=0)
    second: float = Field(ge=0)


class Words(_Record):
    """Summed words of each system's replies, in the order heard."""

    first: int = Field(ge=0)
    second: int = Field(ge=0)


class Replies(_Record):
    """Digests of all that each system replied (`entries.Side.digest`), in the order heard."""

    first: str
    second: str


class Heard(_Record):
    """The share of each dialogue's speech, by length, that was played to a person before they voted."""

    first: float = Field(ge=0, le=1)
    second: float = Field(ge=0, le=1)

    @property
    def whole(self) -> bool:
        return self.first == self.second == 1


class _Contest(_Record):
    """Who met whom, on what, before whom.

    Attributes:
        dialogue: unique over all groups.
        group: the dimension or subset that the dialogue belongs to; "" where there is none.
        cluster: dialogues of one cluster share material and are resampled together; mostly the dialogue
            itself.
        first: the system heard first.
        second: the system heard second.
        judge: its name; of a person, a pseudonym.
        kind: of the judge.
        repeat: 0 for the first time a judge hears this dialogue, these systems and this order.
        seconds: of the replies, where they are known.
        words: of the replies, where they are known.
    """

    dialogue: Name
    group: str = ""
    cluster: Name
    first: Name
    second: Name
    judge: Name
    kind: Kind
    repeat: int = Field(default=0, ge=0)
    seconds: Seconds | None = None
    words: Words | None = None

    @model_validator(mode="after")
    def _of_two(self) -> Self:
        if self.first == self.second:
            raise ValueError(f"{self.first!r} cannot meet itself")
        return self

    @property
    def pair(self) -> tuple[str, str]:
        """Both systems, whatever the order, as one key."""
        return (self.first, self.second) if self.first < self.second else (self.second, self.first)


class Vote(_Contest):
    """A line of votes.jsonl.

    Attributes:
        outcome: which one won, as heard; a tie; or why there is no verdict.
        reason: why, in the judge's own words.
        raw: all that the judge answered.
        usage: of a model.
        created: when, with a time zone.
        basis: digests the material, the prompt and everything about the judge that can change its verdict.
        replies: what the two systems said; None where nobody kept it, or one side could not be read.
        heard: how far a person heard the two dialogues, as their page tells; None where it does not.
    """

    outcome: Verdict | Failed
    reason: str = ""
    raw: str = ""
    usage: Usage | None = None
    created: AwareDatetime
    basis: str
    replies: Replies | None = None
    heard: Heard | None = None

    @property
    def key(self) -> tuple[str, str, str, str, int]:
        """What is judged and by whom; two valid votes never share it."""
        return self.judge, self.dialogue, self.first, self.second, self.repeat

    @property
    def verdict(self) -> Verdict | None:
        return None if isinstance(self.outcome, Failed) else self.outcome

    @property
    def withdraws(self) -> bool:
        return isinstance(self.outcome, Failed) and self.outcome.reason == WITHDRAWN


class Battle(_Contest):
    """One result between two systems.

    Attributes:
        outcome: which one won, or a tie.
        orders: 1 where the verdict is of one order, ``first`` heard first; 2 where it is merged from both,
            and neither has the place's advantage.
    """

    outcome: Verdict
    orders: Literal[1, 2] = 1

    @property
    def score(self) -> float:
        """Of the first system: 1 for a win, 0.5 for a tie, 0 for a loss."""
        return {"first": 1.0, "tie": 0.5, "second": 0.0}[self.outcome]


def read_votes(folder: Path) -> list[Vote]:
    """The votes of a folder, in order of completion.

    Raises:
        SpeechzooError: the folder has no file of them, or judges the same thing twice.
        StoreError: a line is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        raise SpeechzooError(f"{folder} holds no votes: there is no {FILE} in it")
    return distinct(read_lines(path, Vote), str(path))


def distinct(votes: Iterable[Vote], where: str) -> list[Vote]:
    """Each thing judged once: a later attempt replaces a failure; what was withdrawn was never said.

    Args:
        votes: in order of completion.
        where: they come from, for the message.

    Raises:
        SpeechzooError: there are two verdicts of one judge on one thing with the same repeat number.
    """
    kept: dict[tuple[str, str, str, str, int], Vote] = {}
    for vote in votes:
        before = kept.pop(vote.key, None)
        if vote.withdraws:
            continue
        if before is not None and before.verdict is not None:
            told = f"{vote.first} against {vote.second} on {vote.dialogue}"
            raise SpeechzooError(
                f"{where}: {vote.judge} judges {told} twice with repeat number {vote.repeat}; "
                "number repeats, or delete one of the two lines"
            )
        kept[vote.key] = vote
    return list(kept.values())


def failures(votes: Sequence[Vote]) -> dict[str, int]:
    """How many votes have no verdict, by reason."""
    counts: dict[str, int] = {}
    for vote in votes:
        if isinstance(vote.outcome, Failed):
            counts[vote.outcome.reason] = counts.get(vote.outcome.reason, 0) + 1
    return counts
