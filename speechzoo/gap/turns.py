"""Dialogues turn by turn: the mean at each turn, and what later turns and speech change."""

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain

import numpy as np

from speechzoo import stats
from speechzoo.asks import DialogueAnswer, Failure, ReplyAnswer
from speechzoo.gap.sample import Sample, estimate_of
from speechzoo.gap.stages import Measured
from speechzoo.gap.terms import Estimate, StageName
from speechzoo.gap.turn_findings import PairedDifference, TurnFinding, TurnGap, TurnMean, TurnTrend
from speechzoo.gap.wording import interval, is_clear, is_percentage, number, p_value
from speechzoo.run.records import MetricInfo, Results
from speechzoo.task import Grade

# Of five clusters all signs agree in 2 of 2^5 cases: no p can be below 0.0625.
FEWEST = 6
BEFORE: Mapping[StageName, tuple[StageName, ...]] = {"TS": ("T",), "S": ("T",), "SS": ("S", "TS", "T")}
"""What a stage is held against: the first of these that there is."""

FEW = f"Marked few: fewer than {FEWEST} independent dialogues, from which nothing can be settled."
SHORTER = "Some dialogues are shorter than others: only changes and differences are over the same dialogues."
MISSING = (
    "Some turns have no value: means may be over different dialogues, changes and differences never are."
)

Column = Mapping[str, tuple[float, float]]
"""Value and weight of the dialogues that have one."""

Pair = tuple[Column, Column]
"""Two columns of the same dialogues in the same order."""


def by_turn(results: Results, stages: Sequence[Measured]) -> list[TurnFinding]:
    """Each value that the task gives of single turns and some dialogue has; metrics come first."""
    grades = (grade for stage in stages for grade in stage.grades.values())
    told = dict.fromkeys(name for grade in grades for turn in grade.by_turn for name in turn)
    if not told:
        return []
    metrics = {metric.name: metric for metric in results.run.task.metrics}
    lengths = _lengths(stages)
    found = (
        _finding(results, metrics.get(name, unbounded(name)), stages, lengths)
        for name in sorted(told, key=lambda name: [*metrics, *told].index(name))
    )
    return [finding for finding in found if finding is not None]


def unbounded(name: str) -> MetricInfo:
    """A value that is no metric of the task: nothing is known of its bounds."""
    return MetricInfo(name=name, chance=None, higher_is_better=True, low=0.0, high=None)


def _lengths(stages: Sequence[Measured]) -> dict[str, int]:
    """Turns of each dialogue, as many as any stage shows; at least one."""
    lengths: dict[str, int] = {}
    for stage in stages:
        for item, outcome in stage.outcomes.items():
            told = len(outcome.by_turn) if isinstance(outcome, Grade) else 0
            lengths[item] = max(lengths.get(item, 1), told, len(_replies(stage, item)))
    return lengths


def _replies(stage: Measured, item: str) -> tuple[ReplyAnswer | Failure, ...]:
    result = stage.results.get(item)
    return result.answer.replies if result and isinstance(result.answer, DialogueAnswer) else ()


def _reply(stage: Measured, item: str, turn: int) -> ReplyAnswer | Failure | None:
    replies = _replies(stage, item)
    return replies[turn - 1] if turn <= len(replies) else None


def _finding(
    results: Results, metric: MetricInfo, stages: Sequence[Measured], lengths: Mapping[str, int]
) -> TurnFinding | None:
    turns, percent = max(lengths.values()), is_percentage(metric)
    told = {stage.place.name: turn_columns(stage.grades, metric.name, turns) for stage in stages}
    columns = {stage: own for stage, own in told.items() if any(own)}
    if not columns:
        return None
    last = _last(results, columns.values())
    trends = [
        _trend(results, stage, columns[stage.place.name], lengths, last, metric)
        for stage in stages
        if stage.place.name in columns
    ]
    return TurnFinding(
        name=metric.name,
        percent=percent,
        last=last,
        trends=tuple(trends),
        gaps=tuple(_gap(results, *ends, columns, last, percent) for ends in _held_against(columns)),
        notes=_notes(trends, columns.values(), lengths),
    )


def turn_columns(grades: Mapping[str, Grade], name: str, turns: int) -> list[Column]:
    """One a turn: the dialogues that have a finite value there."""
    return [
        {
            item: (grade.by_turn[turn][name], grade.weight)
            for item, grade in grades.items()
            if turn < len(grade.by_turn) and math.isfinite(grade.by_turn[turn].get(name, math.nan))
        }
        for turn in range(turns)
    ]


def _shared(first: Column, second: Column) -> Pair:
    both = [item for item in first if item in second]
    return {item: first[item] for item in both}, {item: second[item] for item in both}


def _independent(results: Results, column: Column) -> int:
    return len({results.items[item].cluster for item in column})


def _last(results: Results, of_stages: Collection[Sequence[Column]]) -> int | None:
    """The turn that the first is compared with; see `TurnFinding`."""
    reached: dict[int, tuple[int, int]] = {}
    for turn in range(2, min(map(len, of_stages)) + 1):
        dialogues = [_independent(results, _shared(own[0], own[turn - 1])[0]) for own in of_stages]
        if any(dialogues):
            reached[turn] = (sum(own >= FEWEST for own in dialogues), sum(own > 0 for own in dialogues))
    return max(reached, key=lambda turn: (reached[turn], turn), default=None)


def _held_against(present: Collection[StageName]) -> Iterator[tuple[StageName, StageName]]:
    for second in present:
        first = next((before for before in BEFORE.get(second, ()) if before in present), None)
        if first is not None:
            yield first, second


def _trend(
    results: Results,
    stage: Measured,
    columns: Sequence[Column],
    lengths: Mapping[str, int],
    last: int | None,
    metric: MetricInfo,
) -> TurnTrend:
    means = turn_means(columns, metric, _clusters(results), seed=results.run.seed)
    turns = [
        TurnMean(
            turn=turn,
            items=len(column),
            few=0 < _independent(results, column) < FEWEST,
            estimate=mean,
            invalid=_invalid(stage, turn, column, lengths),
            truncated=sum(_is_cut(stage, item, turn) for item in stage.grades),
        )
        for turn, (column, mean) in enumerate(zip(columns, means, strict=True), start=1)
    ]
    ends = [_shared(columns[0], columns[last - 1])] if last else []
    change = next(iter(_differences(results, ends, is_percentage(metric))), None)
    return TurnTrend(stage=stage.place.name, turns=tuple(turns), change=change)


def _invalid(stage: Measured, turn: int, column: Column, lengths: Mapping[str, int]) -> dict[str, int]:
    reasons = []
    for item, outcome in stage.outcomes.items():
        if item not in column and turn <= lengths[item]:
            reply = _reply(stage, item, turn)
            failed = reply if isinstance(reply, Failure) else outcome
            reasons.append(failed.reason if isinstance(failed, Failure) else "no_value")
    return dict(Counter(reasons).most_common())


def _is_cut(stage: Measured, item: str, turn: int) -> bool:
    reply = _reply(stage, item, turn)
    return isinstance(reply, ReplyAnswer) and reply.truncated


def _gap(
    results: Results,
    first: StageName,
    second: StageName,
    columns: Mapping[StageName, Sequence[Column]],
    last: int | None,
    percent: bool,
) -> TurnGap:
    pairs = [_shared(*both) for both in zip(columns[first], columns[second], strict=True)]
    if last:
        pairs.append(_shared(*(_change(columns[stage], last) for stage in (first, second))))
    found = _differences(results, pairs, percent)
    change = found.pop() if last else None
    return TurnGap(first=first, second=second, turns=tuple(found), change=change)


def _change(columns: Sequence[Column], last: int) -> Column:
    start, end = _shared(columns[0], columns[last - 1])
    return {item: (end[item][0] - value, weight) for item, (value, weight) in start.items()}


def _notes(
    trends: Sequence[TurnTrend], of_stages: Collection[Sequence[Column]], lengths: Mapping[str, int]
) -> tuple[str, ...]:
    having = {item for columns in of_stages for column in columns for item in column}
    applies = {
        SHORTER: len({lengths[item] for item in having}) > 1,
        MISSING: any(
            turn <= lengths[item] and item not in column
            for columns in of_stages
            for turn, column in enumerate(columns, start=1)
            for item in having
        ),
        FEW: any(turn.few for trend in trends for turn in trend.turns),
    }
    return tuple(note for note, told in applies.items() if told)


def _clusters(results: Results) -> dict[str, str]:
    return {name: item.cluster for name, item in results.items.items()}


def _resampled(columns: Sequence[Column], clusters: Mapping[str, str], seed: int) -> stats.Bootstrap:
    """Each column's mean over the same resamples, in which a dialogue without a value has no weight."""
    items = list(dict.fromkeys(chain.from_iterable(columns)))
    told = np.array([[column.get(item, (0.0, 0.0)) for item in items] for column in columns])
    return stats.bootstrap(told[..., 0], told[..., 1], [clusters[item] for item in items], seed=seed)


def turn_means(
    columns: Sequence[Column], metric: MetricInfo, clusters: Mapping[str, str], *, seed: int
) -> list[Estimate | None]:
    """Weighted means with 95 % intervals by `Sample.method`; None of an empty column.

    Args:
        columns: as `turn_columns` gives them.
        metric: that the values are of.
        clusters: of each dialogue.
        seed: of the bootstrap.
    """
    having = [column for column in columns if column]
    if not having:
        return [None] * len(columns)
    resampled = _resampled(having, clusters, seed)
    means = iter(
        [
            _sample(column, metric, clusters, resampled.of([arm]), seed).estimate(metric.name)
            for arm, column in enumerate(having)
        ]
    )
    return [next(means) if column else None for column in columns]


def _sample(
    column: Column, metric: MetricInfo, clusters: Mapping[str, str], resampled: stats.Bootstrap, seed: int
) -> Sample:
    """A column as a sample of one arm."""
    values, weights = np.array(list(column.values())).T
    return Sample(
        names=(metric.name,),
        items=tuple(column),
        values=values[None],
        weights=weights[None],
        bootstrap=resampled,
        clusters=np.unique([clusters[item] for item in column], return_inverse=True)[1],
        seed=seed,
        metric=metric,
    )


def _differences(results: Results, pairs: Sequence[Pair], percent: bool) -> list[PairedDifference | None]:
    """The second mean of each pair minus the first; None of an empty one."""
    having = [pair for pair in pairs if pair[0]]
    if not having:
        return [None] * len(pairs)
    resampled = _resampled(list(chain.from_iterable(having)), _clusters(results), results.run.seed)
    estimates = (estimate_of(resampled.difference(arm + 1, arm)) for arm in range(0, 2 * len(having), 2))
    return [_difference(results, pair, next(estimates), percent) if pair[0] else None for pair in pairs]


def _difference(results: Results, pair: Pair, estimate: Estimate, percent: bool) -> PairedDifference:
    shares = []
    for column in pair:
        values, weights = np.array(list(column.values())).T
        shares.append(values * (weights / weights.sum()))
    clusters = [results.items[item].cluster for item in pair[0]]
    p = stats.sign_flip(shares[1] - shares[0], clusters, seed=results.run.seed)
    few = len(set(clusters)) < FEWEST
    return PairedDifference(
        items=len(clusters),
        few=few,
        estimate=estimate,
        p=p,
        verdict=_verdict(estimate, p, few, percent),
        clear=is_clear(estimate, p),
    )


def _verdict(estimate: Estimate, p: float, few: bool, percent: bool) -> str:
    direction = "up" if estimate.value > 0 else "down"
    size = f"{direction} {number(abs(estimate.value), percent)}{' points' if percent else ''}"
    if few or estimate.low is None or estimate.high is None:
        return f"too few dialogues to tell: {size if estimate.value else 'level'}"
    if estimate.low <= 0 <= estimate.high:
        return f"no difference shown: the interval holds 0 ({interval(estimate, percent, signed=True)})"
    if not is_clear(estimate, p):
        return f"not settled: {size}, but sign-flip p = {p_value(p)}"
    return f"{size} ({interval(estimate, percent, signed=True)})"
