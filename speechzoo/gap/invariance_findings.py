"""What asking a sample again in other ways showed, as data; ``verification.json`` is this, written down."""

from typing import Literal

from speechzoo.agreement import Level
from speechzoo.gap.terms import Finding
from speechzoo.run.records import Role, Variant
from speechzoo.run.verify import WayName
from speechzoo.specs import Condition

SCHEMA_VERSION = 1

Verdict = Literal["identical", "within tolerance", "differs", "not run"]


class Difference(Finding):
    """One answer that became another, or whose grade did.

    Attributes:
        role: which system's.
        item: that it is about.
        condition: input and output modality.
        variant: how the ask was changed; "" if not at all.
        level: how far the two answers agree.
        before: the answer it is held against, in words.
        after: the answer in this way.
        nats: the largest difference of log-likelihood a token; null where that cannot be told.
        value_before: of the primary metric; null if it has none.
        value_after: likewise.
    """

    role: Role
    item: str
    condition: Condition
    variant: Variant
    level: Level
    before: str
    after: str
    nats: float | None
    value_before: float | None
    value_after: float | None


class Effect(Finding):
    """What a way does to the primary metric of one system under one condition.

    Attributes:
        role: which system.
        condition: input and output modality.
        items: of the sample, that have a value before and after.
        invalid: that have none before, after or both.
        changed: grades that became others: a value moved by more than 0.001, or was there only once.
        move: weighted mean after less the mean before, over ``items``; null without any.
    """

    role: Role
    condition: Condition
    items: int
    invalid: int
    changed: int
    move: float | None


class WayFinding(Finding):
    """One way of asking again, and what became of the answers.

    Attributes:
        way: which.
        changed: what is other than in the run, in words.
        verdict: the worst that befell any answer; ``not run`` if the way was not gone.
        why: it was not gone; "" if it was.
        batches: how many were handed out.
        largest_batch: asks in the largest.
        asks: answers that were held against those of the run; of ``again``, against those of ``sample``.
        identical: of these, equal in every bit of every score, character and sample of speech.
        within: equal but for rounding.
        differ: others.
        largest: the largest difference of a log-likelihood a token, in nats; null where nothing is scored.
        effects: on the primary metric.
        differing: those that differ, and those whose grade changed, at most 20 of them.
        seconds: that it took.
    """

    way: WayName
    changed: str
    verdict: Verdict
    why: str = ""
    batches: int = 0
    largest_batch: int = 0
    asks: int = 0
    identical: int = 0
    within: int = 0
    differ: int = 0
    largest: float | None = None
    effects: tuple[Effect, ...] = ()
    differing: tuple[Difference, ...] = ()
    seconds: float = 0.0

    @property
    def grades_changed(self) -> int:
        return sum(effect.changed for effect in self.effects)

    @property
    def furthest(self) -> Effect | None:
        """The effect that moves the metric furthest."""
        moving = [effect for effect in self.effects if effect.move is not None]
        return max(moving, key=lambda effect: abs(effect.move or 0.0), default=None)


class Invariance(Finding):
    """Whether a run's answers depend on batches, order, workers and kills.

    Attributes:
        schema_version: of this layout.
        created: when it was found out, UTC.
        speechzoo: version that did.
        headline: the finding in a sentence.
        holds: no answer differs by more than the tolerance, in any way that was gone.
        fingerprint: of the run.
        answers: digest of the run's answers to the sample: the findings are about these and no others.
        items: the sample.
        of_items: that it was drawn from.
        dtype: that was computed in.
        tolerance: nats a token by which equal scores may differ in it.
        device: where it was asked again.
        notes: what to know before reading the table.
        ways: in order.
    """

    schema_version: int = SCHEMA_VERSION
    created: str
    speechzoo: str
    headline: str
    holds: bool
    fingerprint: str
    answers: str
    items: tuple[str, ...]
    of_items: int
    dtype: str
    tolerance: float
    device: str
    notes: tuple[str, ...]
    ways: tuple[WayFinding, ...]
