"""What is known about an arena's judges, as data. Views print it and compute nothing."""

import math

from pydantic import BaseModel, ConfigDict
from speechzoo import stats
from speechzoo.gap.terms import Estimate

from speechzoo_arena.published import PrintedAgreement, PrintedBias, Protocol
from speechzoo_arena.records import Kind

SCHEMA_VERSION = 1


class _Finding(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def known(estimate: stats.Estimate) -> Estimate | None:
    """The estimate with null for ends that cannot be given; null without a value."""
    if math.isnan(estimate.value):
        return None
    low, high = (None if math.isnan(end) else end for end in (estimate.low, estimate.high))
    return Estimate(value=estimate.value, low=low, high=high)


class RankRow(_Finding):
    """How alike two rankings of the same systems are, with intervals over systems."""

    systems: int
    spearman: Estimate | None
    kendall: Estimate | None


class AgainstPeople(RankRow):
    """A published judge's ranking against people's, within one protocol and dimension."""

    protocol: Protocol
    dimension: str
    judge: str


class BetweenProtocols(RankRow):
    """A published evaluator's arena ranking against its own rubric ranking."""

    evaluator: str
    dimension: str


class Printed(_Finding):
    """What is printed of an evaluator, and what follows from it.

    Attributes:
        evaluator: a judge, or people.
        bias: as printed.
        battles: the number of battles that the interval of its position bias fits.
        agreement: as printed.
        chance: the chance level that its kappa fits.
    """

    evaluator: str
    bias: PrintedBias
    battles: int
    agreement: PrintedAgreement
    chance: float


class MetaEvaluation(_Finding):
    """How far the published judges rank systems as people do."""

    source: str
    systems: tuple[str, ...]
    against_people: tuple[AgainstPeople, ...]
    between_protocols: tuple[BetweenProtocols, ...]
    printed: tuple[Printed, ...]
    notes: tuple[str, ...]


class LeanFinding(_Finding):
    """See `speechzoo_arena.bias.Lean`."""

    share: Estimate
    difference: Estimate
    p: float
    battles: int
    ties: int


class LengthFinding(_Finding):
    """See `speechzoo_arena.bias.LengthLean`."""

    unit: str
    lean: LeanFinding | None
    margin: Estimate
    equal: int
    unknown: int


class JudgeFinding(_Finding):
    """One model, or all people together.

    Attributes:
        judge: its name.
        kind: model or human.
        people: how many they are; 1 for a model.
        votes: asked for, failed ones included.
        failed: how many have no verdict, by reason.
        dialogues: with at least one verdict.
        both_orders: battles judged in both orders.
        reversed: of those, the share whose verdicts name different winners.
        half: of those, the share of which one verdict is a tie.
        incomplete: pairs of orders of which one has no verdict.
        position: leaning to the system heard first.
        lengths: leaning to longer replies, by unit.
        repeated: materials judged more than once in the same order.
        consistency: the share of their pairs of verdicts that agree.
    """

    judge: str
    kind: Kind
    people: int
    votes: int
    failed: dict[str, int]
    dialogues: int
    both_orders: int
    reversed: float | None
    half: float | None
    incomplete: int
    position: LeanFinding | None
    lengths: tuple[LengthFinding, ...]
    repeated: int
    consistency: Estimate | None


class AgreementFinding(_Finding):
    """Two judges over the battles that both decided, of one group or ("") of all."""

    one: str
    two: str
    group: str
    battles: int
    rate: Estimate
    kappa: Estimate | None
    chance: float


class ReliabilityFinding(_Finding):
    """Krippendorff's alpha of several raters."""

    among: str
    raters: int
    battles: int
    alpha: Estimate | None


class RankingFinding(RankRow):
    """Two judges' Bradley-Terry ratings over the systems that both can rate."""

    one: str
    two: str


class Measured(_Finding):
    """What votes say about who gave them."""

    judges: tuple[JudgeFinding, ...]
    agreements: tuple[AgreementFinding, ...]
    reliabilities: tuple[ReliabilityFinding, ...]
    rankings: tuple[RankingFinding, ...]
    notes: tuple[str, ...]


class JudgeReport(_Finding):
    """``judge-report --json``."""

    schema_version: int = SCHEMA_VERSION
    speechzoo: str
    headline: str
    published: MetaEvaluation | None = None
    measured: Measured | None = None
