"""What an arena shows, as data. Views print it and compute nothing; ``figures.json`` is all of it."""

from pydantic import BaseModel, ConfigDict
from speechzoo.gap.terms import Estimate

from speechzoo_arena.arena_file import ArenaFile
from speechzoo_arena.bradley_terry import Control
from speechzoo_arena.entries import ShownReply, ShownTurn
from speechzoo_arena.judge_findings import Measured
from speechzoo_arena.records import Kind, Verdict

SCHEMA_VERSION = 1


class _Finding(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Standing(_Finding):
    """A system on a board.

    Attributes:
        system: its name.
        rating: in points; null where the battles determine none.
        rank: among the board's systems; null without a rating.
        elo: the reference's rating, in order of completion; of all groups together the mean of theirs.
        wins: of battles, both orders merged.
        ties: the same.
        losses: the same.
    """

    system: str
    rating: Estimate | None
    rank: Estimate | None
    elo: float | None
    wins: int
    ties: int
    losses: int


class PairFinding(_Finding):
    """Two systems; the fields are those of `ratings.PairTest`, null where it has NaN."""

    first: str
    second: str
    lead: Estimate
    p: float | None
    p_holm: float | None
    settled: bool
    met: int
    more: int | None


class WinRateFinding(_Finding):
    """How the row's system did against the column's."""

    row: str
    column: str
    wins: int
    ties: int
    losses: int
    score: Estimate


class Board(_Finding):
    """The ratings of one rater over one group.

    Attributes:
        rater: a judge, or people together.
        kind: of the rater.
        group: dimension or subset; "" for all together.
        battles: with a result, both orders merged.
        dialogues: that they are on.
        standings: by rating, else by share of wins.
        pairs: every pair of systems; empty without ratings.
        wins: every pair that met, in both directions.
        undefined: the share of resamples that determine no ratings.
        unrated: why there are no ratings; "" where there are.
    """

    rater: str
    kind: Kind
    group: str
    battles: int
    dialogues: int
    standings: tuple[Standing, ...]
    pairs: tuple[PairFinding, ...]
    wins: tuple[WinRateFinding, ...]
    undefined: float
    unrated: str


class JointRater(_Finding):
    """What a judge, or people together, bring into the ratings of people and judge together.

    Attributes:
        rater: a judge, or people together.
        kind: of the rater.
        verdicts: each order by itself, repeats left out, on systems that both people and judges met.
        opinions: pairs on a dialogue that these are on; each counts once.
        weight: the rater's share of all weight; 0 where it adds nothing.
        information: its share of what is known of strengths; a rater of places has less than its weight.
        place: points for being heard first; null where it adds nothing.
        tie: Davidson's v; null where it adds nothing.
        nothing: why it adds nothing; "" where it adds something.
    """

    rater: str
    kind: Kind
    verdicts: int
    opinions: int
    weight: float
    information: float
    place: Estimate | None
    tie: float | None
    nothing: str


class JointStanding(_Finding):
    """A system's rating and rank by people and judge together; null without ratings."""

    system: str
    rating: Estimate | None
    rank: Estimate | None


class Disagreement(_Finding):
    """A system by a judge and by people, each with strengths of its own; the difference is people's lead."""

    system: str
    judge: float
    people: float
    difference: Estimate


class Comparison(_Finding):
    """Whether a judge and people see the same strengths.

    Attributes:
        judge: its name.
        p: of the hypothesis that they do; null where it cannot be tested.
        p_holm: adjusted for all judges.
        differs: p_holm is below 0.05.
        untested: why it cannot be tested; "" where it can.
        systems: that both met; empty where either has no finite ratings.
        unrated: why they are empty; "" where they are not.
    """

    judge: str
    p: float | None
    p_holm: float | None
    differs: bool
    untested: str
    systems: tuple[Disagreement, ...]
    unrated: str


class JointBoard(_Finding):
    """The ratings of people and judge together: one model of all their votes on systems that both met.

    Attributes:
        verdicts: of the raters that add something.
        dialogues: that they are on.
        raters: judges by name, then people.
        standings: by rating.
        pairs: every pair of systems; ``more`` is null, for it would have to say by whom.
        comparisons: of each judge with people.
        trusted: judge and people both add something, and no judge was found to see other strengths.
        told: how the ratings are to be read, in sentences.
        undefined: the share of resamples that determine no ratings.
        unrated: why there are no ratings; "" where there are.
    """

    verdicts: int
    dialogues: int
    raters: tuple[JointRater, ...]
    standings: tuple[JointStanding, ...]
    pairs: tuple[PairFinding, ...]
    comparisons: tuple[Comparison, ...]
    trusted: bool
    told: tuple[str, ...]
    undefined: float
    unrated: str


class Adjusted(_Finding):
    """A system's rating without and with something held equal, over the same battles."""

    system: str
    plain: Estimate
    adjusted: Estimate


class ControlFinding(_Finding):
    """Ratings with something held equal.

    Attributes:
        rater: whose verdicts, each order by itself.
        control: what is held equal.
        unit: of the effect.
        effect: in points of that unit.
        ratings: by rating.
        left_out: battles in which it is not known.
        unrated: why there are none; "" where there are.
    """

    rater: str
    control: Control
    unit: str
    effect: Estimate | None
    ratings: tuple[Adjusted, ...]
    left_out: int
    unrated: str


class TrendFinding(_Finding):
    """A quantity of a system's replies, turn by turn.

    Attributes:
        quantity: ``satisfied``, ``seconds``, ``words_per_second`` or ``content_density``.
        percent: whether it is a share.
        system: whose.
        turns: the mean of each turn, from the first; null where no dialogue has it.
        dialogues: that each mean is over: those that all systems have the turn of.
    """

    quantity: str
    percent: bool
    system: str
    turns: tuple[Estimate | None, ...]
    dialogues: tuple[int, ...]


class RubricFinding(_Finding):
    """Whether who has the better grade in the runs wins the battle.

    Attributes:
        rater: of the battles.
        metric: the runs' own.
        graded_by: the judge behind the grades, or "" where the task decides by itself.
        battles: that both have something on.
        rate: share with the same verdict.
        kappa: Cohen's.
        decided: the rate over battles in which neither is a tie.
        unscored: battles without a grade of one of the systems.
    """

    rater: str
    metric: str
    graded_by: str
    battles: int
    rate: Estimate
    kappa: Estimate | None
    decided: Estimate | None
    unscored: int


class Coverage(_Finding):
    """What a system brought into one group.

    Attributes:
        system: its name.
        group: dimension or subset.
        dialogues: that any run has.
        answered: with an answer.
        silent_turns: turns without a reply in those.
        unusable: answers that cannot be judged.
        absent: dialogues without an answer, by reason.
        judged: dialogues with a verdict about it.
    """

    system: str
    group: str
    dialogues: int
    answered: int
    silent_turns: int
    unusable: int
    absent: dict[str, int]
    judged: int


class Cost(_Finding):
    """What a judge took; the cost in US dollars is null where it does not tell."""

    judge: str
    votes: int
    failed: dict[str, int]
    input_tokens: int
    output_tokens: int
    cost: float | None


class PrintedRow(_Finding):
    """A published system under one evaluator: Elo ratings by dimension, as printed."""

    evaluator: str
    system: str
    values: dict[str, float]


class PrintedTable(_Finding):
    """Published ratings of the same benchmark."""

    source: str
    rows: tuple[PrintedRow, ...]
    notes: tuple[str, ...]


class ShownVote(_Finding):
    """A vote as the page shows it; ``failure`` says why there is no verdict."""

    rater: str
    first: str
    second: str
    verdict: Verdict | None
    repeat: int
    reason: str
    failure: str


class ShownMeeting(_Finding):
    """Two systems on one dialogue.

    Attributes:
        dialogue: its id.
        one: the system that comes first by name.
        two: the other.
        results: by rater, ``first`` for ``one``; both orders together, repeats left out.
        disagree: raters differ, or the verdicts of one.
        votes: all of them, in order of completion.
    """

    dialogue: str
    one: str
    two: str
    results: dict[str, Verdict]
    disagree: bool
    votes: tuple[ShownVote, ...]


class ShownDialogue(_Finding):
    """What the user says and what each system replies; paths are relative to the arena's folder."""

    group: str
    turns: tuple[ShownTurn, ...]
    replies: dict[str, tuple[ShownReply, ...]]
    unusable: dict[str, str]


class ArenaReport(_Finding):
    """Everything, as data.

    Attributes:
        headline: people and judge together in a sentence where that can be trusted, else the first board
            with ratings.
        arena: systems, judge and options.
        prior: standard deviation in points of the prior behind all ratings; null for none.
        played: battles put to the arena's judge in all orders; ``arena.planned`` says of how many.
        repeated: verdicts that it was asked for once more; ``arena.planned`` says of how many.
        unfinished: what was planned and not put to the judge, in sentences; empty where all was.
        warnings: what a reader must see first, these among it.
        boards: by rater, the pooled one first.
        joint: people and judge together; null where they have no systems in common.
        controls: by rater.
        judges: their bias and agreement; null without votes.
        rubrics: by rater.
        trends: by quantity and system.
        uncompared: why the runs' grades are in neither of these two; "" where they are.
        coverage: by system and group.
        costs: by judge.
        published: of the same benchmark; null where there is nothing.
        dialogues: by id.
        meetings: everything that was put to a rater.
        notes: what the numbers are.
    """

    schema_version: int = SCHEMA_VERSION
    speechzoo: str
    headline: str
    arena: ArenaFile
    prior: float | None
    played: int
    repeated: int
    unfinished: tuple[str, ...]
    warnings: tuple[str, ...]
    boards: tuple[Board, ...]
    joint: JointBoard | None
    controls: tuple[ControlFinding, ...]
    judges: Measured | None
    rubrics: tuple[RubricFinding, ...]
    trends: tuple[TrendFinding, ...]
    uncompared: str
    coverage: tuple[Coverage, ...]
    costs: tuple[Cost, ...]
    published: PrintedTable | None
    dialogues: dict[str, ShownDialogue]
    meetings: tuple[ShownMeeting, ...]
    notes: tuple[str, ...]
