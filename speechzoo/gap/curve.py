"""How value and loss change over the checkpoints of one training, on the same items throughout."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from speechzoo import stats
from speechzoo.asks import Failure
from speechzoo.gap.curve_findings import Curve, Line, Missing, Point, StepTest, Tracked, Value, Verdict
from speechzoo.gap.sample import Sample, common_items, estimate_of, other_samples, sample
from speechzoo.gap.series import arm, finished, holding
from speechzoo.gap.stages import MAIN_FIRST, SPEECH_STEPS, STEPS, Measured
from speechzoo.gap.terms import Estimate, StageName
from speechzoo.gap.wording import FLIP_NOTE, deciding, interval, is_clear, is_percentage, number
from speechzoo.run.records import Results

__all__ = ["Curve", "curve"]

SUBSET = "subset"

Stages = Mapping[int, Sequence[Measured]]


def curve(runs: Mapping[int, Results], missing: Mapping[int, str], title: str) -> Curve:
    """The curve over steps.

    Args:
        runs: of one model's checkpoints on one task, by step.
        missing: why other checkpoints have no run, by step.
        title: what it is of.

    Raises:
        SetupError: no checkpoint has a finished run.
        SpeechzooError: the runs are not of the same task and data.
    """
    stages, without = finished({step: runs[step] for step in sorted(runs)}, missing, "step")
    absent = [Missing(step=step, reason=reason) for step, reason in sorted(without.items())]
    first = runs[next(iter(stages))]
    metric, *others = first.run.task.metrics
    lines = _adjusted([_line(runs, *chosen) for chosen in _sets(first, stages)])
    return Curve(
        title=title,
        headline=_headline(lines[0], is_percentage(metric)),
        metric=metric,
        percent=is_percentage(metric),
        others=tuple(others),
        missing=tuple(absent),
        warnings=tuple(_warnings(lines, absent)),
        notes=tuple(_notes(lines)),
        signatures={step: runs[step].run.signature for step in stages},
        lines=tuple(lines),
    )


def _sets(first: Results, stages: Stages) -> Iterator[tuple[str | None, bool, Stages]]:
    """What each line is of: stages that may be compared, over all items and over each of several subsets."""
    subsets: dict[str, set[str]] = {}
    for item in first.items.values():
        if SUBSET in item.attributes:
            subsets.setdefault(str(item.attributes[SUBSET]), set()).add(item.id)
    for speech_scored in (False, True):
        whole = {
            step: [one for one in several if one.speech_scored == speech_scored]
            for step, several in stages.items()
        }
        if any(whole.values()):
            yield None, speech_scored, whole
            for subset, items in sorted(subsets.items()) if len(subsets) > 1 else ():
                own = {step: [one.only(items) for one in several] for step, several in whole.items()}
                yield subset, speech_scored, own


def _line(runs: Mapping[int, Results], subset: str | None, speech_scored: bool, stages: Stages) -> Line:
    arms = {arm(one.place.name, step): one.grades for step, several in stages.items() for one in several}
    items = common_items(arms)
    source = holding(items, runs, stages)
    shared = sample(arms, items, source)
    others = other_samples(arms, items, source)
    ends = _ends(shared, stages)
    tracks = _tracks(shared, stages, ends) if shared else []
    of_stages = [track for track in tracks if track.what != "drop"]
    drop = next((track for track in tracks if track.what == "drop"), None)
    return Line(
        subset=subset,
        speech_scored=speech_scored,
        stages={one.place.name: one.place.words for several in stages.values() for one in several},
        ends=ends,
        items_planned=len({item for several in stages.values() for one in several for item in one.outcomes}),
        items_used=len(items),
        items_by_metric={own.metric.name: len(own.items) for own in others},
        points=tuple(
            Point(
                step=step,
                stages={one.place.name: _value(one, step, shared, others) for one in several},
                drop=drop.value(step) if drop else None,
            )
            for step, several in stages.items()
        ),
        best={track.what: track.best for track in of_stages if track.what != "drop"},
        last_against_first=tuple(
            track.test(track.steps[-1], track.steps[0]) for track in tracks if len(track.steps) > 1
        ),
        against_best=tuple(
            track.test(step, track.best) for track in of_stages for step in track.steps if step != track.best
        ),
    )


def _value(source: Measured, step: int, shared: Sample | None, others: Sequence[Sample]) -> Value:
    own = arm(source.place.name, step)
    reasons = [outcome.reason for outcome in source.outcomes.values() if isinstance(outcome, Failure)]
    return Value(
        planned=len(source.outcomes),
        invalid=dict(Counter(reasons).most_common()),
        estimate=shared.estimate(own) if shared and own in shared.names else None,
        others={other.metric.name: other.estimate(own) for other in others if own in other.names},
    )


def _ends(shared: Sample | None, stages: Stages) -> tuple[StageName, StageName] | None:
    """Of the main step between stages: the first of a report's that any checkpoint has both ends of."""
    have = shared.names if shared else ()
    found = [
        between
        for between in (*STEPS, *SPEECH_STEPS)
        if any(arm(between.first, step) in have and arm(between.second, step) in have for step in stages)
    ]
    main = min(found, key=lambda between: MAIN_FIRST.index(between.name), default=None)
    return (main.first, main.second) if main else None


@dataclass(frozen=True)
class _Track:
    """What is followed over steps: one stage of the model, or the drop. The arms are named by step."""

    what: Tracked
    arms: Sample

    @property
    def steps(self) -> tuple[int, ...]:
        return tuple(map(int, self.arms.names))

    @property
    def best(self) -> int:
        sign = 1 if self.arms.metric.higher_is_better else -1
        return max(self.steps, key=lambda step: sign * self.arms.mean(str(step)))

    def value(self, step: int) -> Estimate | None:
        """The mean with its bootstrap interval."""
        if step not in self.steps:
            return None
        return estimate_of(self.arms.bootstrap.mean(self.steps.index(step)))

    def test(self, step: int, reference: int) -> StepTest:
        pair = str(step), str(reference)
        better, worse = self.arms.changes(*pair)
        p, p_flip = stats.mcnemar(better, worse), self.arms.p_flip(*pair)
        return StepTest(
            what=self.what,
            step=step,
            reference=reference,
            lead=self.arms.loss(*pair),
            better=better,
            worse=worse,
            p=p,
            p_flip=p_flip,
            p_holm=deciding(p, p_flip),
            verdict="not settled",
        )


def _tracks(shared: Sample, stages: Stages, ends: tuple[StageName, StageName] | None) -> list[_Track]:
    """Of every stage of the model, then of the drop."""
    own = [one.place for several in stages.values() for one in several if one.place.role == "model"]
    found = []
    for name in dict.fromkeys(place.name for place in own):
        steps = [step for step in stages if arm(name, step) in shared.names]
        if steps:
            found.append(_Track(name, _followed(shared, name, steps)))
    if ends is not None:
        first, second = ends
        steps = [step for step in stages if {arm(first, step), arm(second, step)} <= set(shared.names)]
        found.append(
            _Track("drop", _drops(_followed(shared, first, steps), _followed(shared, second, steps)))
        )
    return found


def _followed(shared: Sample, stage: StageName, steps: Sequence[int]) -> Sample:
    """The arms of one stage, named by step."""
    rows = [shared.names.index(arm(stage, step)) for step in steps]
    return replace(
        shared,
        names=tuple(map(str, steps)),
        values=shared.values[rows],
        weights=shared.weights[rows],
        bootstrap=shared.bootstrap.of(rows),
    )


def _drops(first: Sample, second: Sample) -> Sample:
    """The loss from one stage to another as a metric of its own, of which less is better.

    An item's value is the difference of its shares in the two weighted means, times the number of items:
    the plain mean is then the difference of the means, whatever the weights.
    """
    sign = 1 if first.metric.higher_is_better else -1
    falls = sign * len(first.items) * (first.shares - second.shares)
    unit = stats.magnitude(falls)
    return replace(
        first,
        # Rounded, as equal falls from different values must not count as a change.
        values=np.round(falls / unit, 9) * unit,
        weights=np.ones_like(falls),
        bootstrap=replace(
            first.bootstrap,
            means=sign * (first.bootstrap.means - second.bootstrap.means),
            draws=sign * (first.bootstrap.draws - second.bootstrap.draws),
        ),
        metric=first.metric.model_copy(update={"higher_is_better": False}),
    )


def _adjusted(lines: Sequence[Line]) -> list[Line]:
    """With Holm's p over all tests of a kind in the curve: that is the family a reader picks from."""
    ends = iter(stats.holm([test.p_holm for line in lines for test in line.last_against_first]))
    rest = iter(stats.holm([test.p_holm for line in lines for test in line.against_best]))
    return [
        line.model_copy(
            update={
                "last_against_first": tuple(_judged(test, next(ends)) for test in line.last_against_first),
                "against_best": tuple(_judged(test, next(rest)) for test in line.against_best),
            }
        )
        for line in lines
    ]


def _judged(test: StepTest, p_holm: float) -> StepTest:
    return test.model_copy(update={"p_holm": p_holm, "verdict": _verdict(test.lead, p_holm)})


def _verdict(lead: Estimate, p_holm: float) -> Verdict:
    if is_clear(lead, p_holm):
        return "ahead" if lead.value > 0 else "behind"
    if lead.low is not None and lead.high is not None and lead.low <= 0 <= lead.high:
        return "no difference shown"
    return "not settled"


def _headline(line: Line, percent: bool) -> str:
    """What became of the drop, or else of the last stage, from the first checkpoint to the last."""
    if not line.last_against_first:
        count = len(line.points)
        return f"{count} checkpoint{'s' if count > 1 else ''}, nothing to compare"
    test = line.last_against_first[-1]
    what = f"the drop {' - '.join(line.ends)}" if test.what == "drop" and line.ends else test.what
    start = f"From step {test.reference} to step {test.step}"
    size = f"{number(abs(test.lead.value), percent)}{' points' if percent else ''}"
    spread = f"95 % interval of the improvement {interval(test.lead, percent, signed=True)}"
    if test.verdict in ("ahead", "behind"):
        return f"{start} {what} gets {'better' if test.verdict == 'ahead' else 'worse'} by {size} ({spread})"
    if test.verdict == "not settled":
        return f"{start} {what} changes by {size}, which is not settled ({spread})"
    return f"{start} no change of {what} is shown ({spread})"


def _warnings(lines: Sequence[Line], missing: Sequence[Missing]) -> list[str]:
    told = [f"Step {own.step} is not in the curve: {own.reason}" for own in missing]
    for line in (line for line in lines if line.subset is None):
        told += [
            f"Step {point.step}: none of {own.planned} items is valid under {name} ({line.stages[name]}); "
            "the curve goes on without it."
            for point in line.points
            for name, own in point.stages.items()
            if own.planned and own.planned == sum(own.invalid.values())
        ]
        if out := line.items_planned - line.items_used:
            told.append(
                f"Values of {', '.join(line.stages)} are over {line.items_used} of {line.items_planned} "
                f"items, those valid in every stage at every checkpoint; {out} fell out."
            )
    return told


def _notes(lines: Sequence[Line]) -> list[str]:
    told = []
    tests = [test for line in lines for test in (*line.last_against_first, *line.against_best)]
    if any(test.p_flip is not None for test in tests):
        told.append(FLIP_NOTE)
    if any(line.against_best for line in lines):
        told.append(
            "The best step was chosen on the items that it is tested on, which flatters its lead: confirm it "
            "on other items."
        )
    return told
