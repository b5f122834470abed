"""What a task tells of single turns, as data; a part of the report's."""

from speechzoo.gap.terms import Estimate, Finding, StageName


class PairedDifference(Finding):
    """How far two means over the same dialogues lie apart, the second minus the first.

    Attributes:
        items: dialogues that have both.
        few: fewer than six of them are independent: with so few no sign-flip test reaches p < 0.05.
        estimate: of the difference, not adjusted for how many there are.
        p: as ``p_flip`` in `Step`.
        verdict: what interval and p carry, in words.
        clear: the verdict states a difference.
    """

    items: int
    few: bool
    estimate: Estimate
    p: float
    verdict: str
    clear: bool


class TurnMean(Finding):
    """One turn of the dialogues in one stage.

    Attributes:
        turn: which, from 1.
        items: dialogues that have a value there.
        few: fewer than six of them are independent.
        estimate: their weighted mean, its interval by the methods of `Stage`; null without any.
        invalid: dialogues that go on so long and have no value there, by reason. One that failed as a whole
            counts at the turns that another stage shows it to have, else at the first alone.
        truncated: dialogues whose reply was cut at its token limit there.
    """

    turn: int
    items: int
    few: bool
    estimate: Estimate | None
    invalid: dict[str, int]
    truncated: int


class TurnTrend(Finding):
    """A value of one stage's replies, turn by turn.

    Attributes:
        stage: see `StageName`.
        turns: from the first, as many as the longest dialogue has.
        change: from the first turn to the last that is compared; null if no dialogue has both.
    """

    stage: StageName
    turns: tuple[TurnMean, ...]
    change: PairedDifference | None


class TurnGap(Finding):
    """The same value in two stages, turn by turn.

    Attributes:
        first: the stage before.
        second: the stage after, in which the model hears or speaks.
        turns: the difference at each turn; null where no dialogue has both.
        change: of the difference, from the first turn to the last that is compared.
    """

    first: StageName
    second: StageName
    turns: tuple[PairedDifference | None, ...]
    change: PairedDifference | None


class TurnFinding(Finding):
    """One of the values that the task gives of single turns.

    Attributes:
        name: the task's.
        percent: show it as a percentage.
        last: the turn that the first is compared with: of those that six independent dialogues share with it
            in the most stages, and any dialogue in the most stages, the last; null if none share any.
        trends: by stage, where there are values.
        gaps: between stages, in the report's order.
        notes: what to know before reading them.
    """

    name: str
    percent: bool
    last: int | None
    trends: tuple[TurnTrend, ...]
    gaps: tuple[TurnGap, ...]
    notes: tuple[str, ...]
