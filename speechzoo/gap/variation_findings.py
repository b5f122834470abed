"""A factorial of what befalls speech, as data. Views print it and compute nothing; ``variation.json``."""

from typing import Literal

from speechzoo.gap.terms import Estimate, Finding, StageName
from speechzoo.run.records import MetricInfo

SCHEMA_VERSION = 1

Verdict = Literal["loses", "gains", "not settled", "no difference shown", "every item is worth the same"]


class AgainstClean(Finding):
    """One cell against the clean clips, paired over the same items.

    Attributes:
        loss: what the stage loses; positive is worse, whichever way the metric points. Its interval is a
            score interval (`stats.paired_difference`) where ``p_flip`` is null, else of the bootstrap.
        lost: items worth less than from the clean clips.
        gained: items worth more.
        p: exact McNemar p (an exact sign test if values are fractional).
        p_flip: p of the loss from flipping the signs of whole clusters' weighted differences; null where
            items are right or wrong, weigh the same and share nothing.
        p_holm: the deciding p, ``p_flip`` where there is one, adjusted for all tests of the factorial
            (Holm 1979).
        verdict: what interval and adjusted p carry.
    """

    loss: Estimate
    lost: int
    gained: int
    p: float
    p_flip: float | None
    p_holm: float
    verdict: Verdict


class Score(Finding):
    """One stage in one cell.

    Attributes:
        planned: items that were to be asked.
        invalid: how many of them have no value, by reason.
        estimate: weighted mean of the primary metric over the factorial's items; null if no item is valid.
        wer: mean word error rate of what the system heard of these items, where it says what it heard.
        against_clean: null for the clean clips, and where one of the two has no valid item.
    """

    planned: int
    invalid: dict[str, int]
    estimate: Estimate | None
    wer: float | None
    against_clean: AgainstClean | None


class Cell(Finding):
    """One way for all clips to be heard.

    Attributes:
        name: ``clean``, or its levels.
        run: the folder of its run, within the factorial's.
        levels: by factor; a factor that is not named is as the data set has it.
        scores: of the stages that listen.
        audio_wer: mean word error rate of the run's transcriber on these items; null if none listened.
        signature: of its run.
    """

    name: str
    run: str
    levels: dict[str, str]
    scores: dict[StageName, Score]
    audio_wer: float | None
    signature: str


class Reference(Finding):
    """A stage that reads: the same in every cell, and asked once."""

    name: StageName
    words: str
    estimate: Estimate


class Sweep(Finding):
    """Cells that differ in one factor alone.

    Attributes:
        name: the levels of the other factors, "" where none of them varies.
        cells: their names, by level.
    """

    name: str
    cells: dict[str, str]


class Factor(Finding):
    """One factor with several levels.

    Attributes:
        name: ``snr``, ``noise``, ``reverb``, ``codec`` or ``voice``.
        ordered: its levels lie between each other, from the mildest to the worst.
        levels: in this order, ``none`` first.
        sweeps: one for each combination of the other factors' levels.
        trends: what the tests say of each sweep that begins with the clean clips.
    """

    name: str
    ordered: bool
    levels: tuple[str, ...]
    sweeps: tuple[Sweep, ...]
    trends: tuple[str, ...]


class Missing(Finding):
    """A cell that has no values, and why: the first and the last line of what was told."""

    name: str
    reason: str


class Table(Finding):
    """Everything over one set of items.

    Attributes:
        speech_scored: it is of scores of speech continuations, which are never compared with others.
        stages: those that listen, in words.
        items_planned: items that were to be asked.
        items_used: those valid in every stage of every cell with valid items: all values are over them.
        references: the stages that read.
        cells: the clean clips first.
    """

    speech_scored: bool
    stages: dict[StageName, str]
    items_planned: int
    items_used: int
    references: tuple[Reference, ...]
    cells: tuple[Cell, ...]
    factors: tuple[Factor, ...]

    @property
    def tests(self) -> list[AgainstClean]:
        """Of every stage of every cell against the clean clips."""
        scores = (score for cell in self.cells for score in cell.scores.values())
        return [score.against_clean for score in scores if score.against_clean is not None]


class Variation(Finding):
    """One model on one task under several ways to be heard: ``variation.json``.

    Attributes:
        schema_version: of this layout.
        title: model and task.
        headline: the main finding in a sentence.
        metric: the primary one.
        percent: show it as a percentage.
        missing: cells without values.
        warnings: what a reader must know before believing the numbers.
        notes: what the numbers mean.
        tables: scores over text continuations and replies, then those over speech continuations.
    """

    schema_version: int = SCHEMA_VERSION
    title: str
    headline: str
    metric: MetricInfo
    percent: bool
    missing: tuple[Missing, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    tables: tuple[Table, ...]
