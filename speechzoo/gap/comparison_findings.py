"""Several runs beside each other, as data."""

from speechzoo.gap.findings import SCHEMA_VERSION
from speechzoo.gap.terms import Estimate, Finding
from speechzoo.run.records import MetricInfo
from speechzoo.specs import Condition


class Entry(Finding):
    """One run in a comparison's table."""

    model: str
    planned: int
    valid: int
    estimate: Estimate


class Pair(Finding):
    """Two runs over the same items.

    Attributes:
        first: a model.
        second: another.
        lead: what first is better by; negative if second is.
        p: exact McNemar p (an exact sign test if values are fractional).
        p_flip: p of the lead as in `Step`.
        p_holm: the deciding p, ``p_flip`` where there is one, adjusted for all tests of the comparison
            (Holm 1979).
        first_better: items on which first is worth more.
        second_better: items on which second is.
        verdict: one sentence that claims no more than interval and adjusted p carry.
        clear: the verdict states a difference.
    """

    first: str
    second: str
    lead: Estimate
    p: float
    p_flip: float | None
    p_holm: float
    first_better: int
    second_better: int
    verdict: str
    clear: bool


class ConditionTable(Finding):
    """The runs under one condition, over the items valid in all of them; ``subset`` is "" for all items."""

    condition: Condition
    subset: str = ""
    items: int
    entries: tuple[Entry, ...]
    pairs: tuple[Pair, ...]


class Comparison(Finding):
    """Several runs of one task; ``notes`` say what its p values mean."""

    schema_version: int = SCHEMA_VERSION
    task: str
    metric: MetricInfo
    percent: bool
    signatures: dict[str, str]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    tables: tuple[ConditionTable, ...]
