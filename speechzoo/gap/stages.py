"""Values under each condition, and what is lost from one to the next."""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from speechzoo import stats
from speechzoo.asks import Answer, Failure, ScoreAnswer, replies_of
from speechzoo.gap.findings import Stage, Step
from speechzoo.gap.sample import Arms, Sample
from speechzoo.gap.terms import StageName
from speechzoo.gap.wording import deciding, is_clear, loss_verdict
from speechzoo.run.records import Key, MetricInfo, PlannedItem, Result, Results, Role
from speechzoo.specs import Condition
from speechzoo.task import Grade


@dataclass(frozen=True)
class Place:
    """A stage's place in the report."""

    name: StageName
    role: Role
    condition: Condition
    words: str


PLACES = (
    Place("T0", "base", Condition.T2T, "base LLM, text in"),
    Place("T", "model", Condition.T2T, "text in, text out"),
    Place("TS", "model", Condition.T2S, "text in, speech out"),
    Place("S", "model", Condition.S2T, "speech in, text out"),
    Place("SS", "model", Condition.S2S, "speech in and out"),
    Place("CT", "rival", Condition.T2T, "rival, text in"),
    Place("C", "rival", Condition.S2T, "rival, speech in"),
)


@dataclass(frozen=True)
class Between:
    """A step's place in the report; ``when`` ends the sentence that states its loss."""

    name: str
    first: StageName
    second: StageName
    when: str


STEPS = (
    Between("forgetting", "T0", "T", "against its base text LLM"),
    Between("hearing and thinking", "T", "S", "when the context is spoken"),
    Between("speaking", "S", "SS", "when it has to speak its answer"),
    Between("speaking from text", "T", "TS", "when it has to speak its answer"),
    Between("listening and speaking", "T", "SS", "when it listens and has to speak its answer"),
    Between("gap to the rival", "C", "S", "against the rival"),
    Between("the rival's hearing", "CT", "C", "when the rival has to hear the context"),
)
SPEECH_STEPS = (
    Between(
        "hearing and thinking, speech continuations",
        "TS",
        "SS",
        "when the context is spoken, by its speech continuations",
    ),
)
MAIN_FIRST = (
    "hearing and thinking",
    "speaking",
    "speaking from text",
    "listening and speaking",
    "hearing and thinking, speech continuations",
    "forgetting",
    "gap to the rival",
    "the rival's hearing",
)
ONE_POINT = 0.01
NO_DETAILS: Mapping[str, object] = {}


@dataclass(frozen=True)
class Measured:
    """One stage's raw material: an outcome for every planned item.

    Attributes:
        place: which stage.
        outcomes: a grade that has the primary metric, without its details, or why there is none.
        results: the answers behind them; none for items that were never answered.
        wer: word error rates of what was heard, where they are known.
        cut: items with a reply that was cut at its token limit.
        seconds: mean seconds an answer by part of the work.
        speech_scored: the answers are scores of continuations in speech tokens.
    """

    place: Place
    outcomes: Mapping[str, Grade | Failure]
    results: Mapping[str, Result]
    wer: Mapping[str, float]
    cut: Collection[str]
    seconds: Mapping[str, float]
    speech_scored: bool = False

    @cached_property
    def grades(self) -> dict[str, Grade]:
        """Of the valid items."""
        return {item: grade for item, grade in self.outcomes.items() if isinstance(grade, Grade)}

    def only(self, items: Collection[str]) -> "Measured":
        """The same stage without the outcomes of all other items."""
        return replace(
            self,
            outcomes={item: outcome for item, outcome in self.outcomes.items() if item in items},
            results=self.results,
        )


class StageResults(Mapping[str, Result]):
    """A system's results under one condition, by item."""

    def __init__(self, results: Results, place: Place, items: Collection[str]) -> None:
        self._results, self._place, self._items = results.results, place, items

    def __getitem__(self, item: str) -> Result:
        return self._results[Key(self._place.role, item, self._place.condition)]

    def __contains__(self, item: object) -> bool:
        return item in self._items

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)


def measured(results: Results) -> list[Measured]:
    """The stages of a run, in the report's order: those with results, and those that should have some."""
    answered: defaultdict[tuple[Role, Condition], dict[str, None]] = defaultdict(dict)
    for key in results.results:
        if key.variant == "":
            answered[key.role, key.condition][key.item] = None
    asked = {("model", condition) for condition in results.run.conditions} | answered.keys()
    asked |= {(role, own) for role, system in results.run.systems.items() for own in system.conditions}
    return [
        _measured(results, place, answered[place.role, place.condition])
        for place in PLACES
        if (place.role, place.condition) in asked
    ]


def _measured(results: Results, place: Place, answered: Collection[str]) -> Measured:
    metric = results.run.task.metrics[0].name
    own = StageResults(results, place, answered)
    outcomes: dict[str, Grade | Failure] = {}
    wer: dict[str, float] = {}
    cut: set[str] = set()
    timings = _Timings()
    speech_scored = False
    for item in results.items.values():
        ask, result = item.asks.get(place.condition), own.get(item.id)
        if ask is None and place.condition not in item.failures and result is None:
            continue
        speech_scored |= ask is not None and bool(ask.spoken_continuations)
        outcomes[item.id] = _outcome(item, place, result, metric)
        if result is not None:
            timings.add(result.answer)
            if result.wer is not None:
                wer[item.id] = result.wer
            if result.truncated:
                cut.add(item.id)
    if speech_scored:
        heard = "speech in" if place.condition.speech_in else "text in"
        place = replace(place, words=f"{heard}, speech continuations scored")
    return Measured(place, outcomes, own, wer, cut, timings.means(), speech_scored)


def _outcome(item: PlannedItem, place: Place, result: Result | None, metric: str) -> Grade | Failure:
    if result is not None:
        outcome = usable(result.outcome, metric)
        return replace(outcome, details=NO_DETAILS) if isinstance(outcome, Grade) else outcome
    if place.condition in item.failures:
        return Failure(*item.failures[place.condition])
    return Failure("not_answered", "the run has no answer to this item")


def usable(outcome: Grade | Failure, metric: str) -> Grade | Failure:
    """The grade if the metric can be averaged from it, else why not."""
    if isinstance(outcome, Failure):
        return outcome
    if metric not in outcome.values:
        return Failure("not_applicable", f"the task gave no {metric}")
    if not math.isfinite(outcome.values[metric]) or not math.isfinite(outcome.weight):
        return Failure("non_finite", f"{metric} {outcome.values[metric]}, weight {outcome.weight}")
    if outcome.weight <= 0:
        return Failure("no_weight", f"the task gave the item the weight {outcome.weight}")
    return outcome


def stage(source: Measured, shared: Sample | None, metrics: Sequence[MetricInfo]) -> Stage:
    """One row of the stage table; ``shared`` is over the items valid in all stages of its family."""
    name, grades = source.place.name, source.grades
    compared = shared if shared and name in shared.names else None
    invalid = [outcome.reason for outcome in source.outcomes.values() if isinstance(outcome, Failure)]
    whole = [grade for item, grade in grades.items() if item not in source.cut]
    return Stage(
        name=name,
        role=source.place.role,
        condition=source.place.condition,
        words=source.place.words,
        speech_scored=source.speech_scored,
        planned=len(source.outcomes),
        valid=len(grades),
        used=len(compared.items) if compared else 0,
        estimate=compared.estimate(name) if compared else None,
        method=compared.method(name) if compared else "bootstrap",
        ties=sum(grade.tie for grade in grades.values()),
        truncated=len(source.cut),
        invalid=dict(Counter(invalid).most_common()),
        bounds=_bounds(whole, len(source.outcomes) - len(whole), metrics[0]),
        wer=float(np.mean([*source.wer.values()])) if source.wer else None,
        seconds=dict(source.seconds),
    )


def _bounds(grades: Sequence[Grade], unknown: int, metric: MetricInfo) -> tuple[float, float] | None:
    """The mean if all unsure items, of the others' mean weight, were worth the least or the most."""
    if metric.high is None or not len(grades) + unknown:
        return None
    weight = sum(grade.weight for grade in grades)
    total = sum(grade.weight * grade.values[metric.name] for grade in grades)
    missing = unknown * (weight / len(grades) if grades else 1.0)
    low, high = ((total + missing * worth) / (weight + missing) for worth in (metric.low, metric.high))
    return low, high


class _Timings:
    """Mean seconds an answer by part of the work, of answers one after the other."""

    def __init__(self) -> None:
        self._spent: defaultdict[str, float] = defaultdict(float)
        self._answered = 0

    def add(self, answer: Answer | Failure) -> None:
        self._answered += not isinstance(answer, Failure)
        for part in (answer,) if isinstance(answer, ScoreAnswer) else replies_of(answer):
            for name, seconds in part.timings.items():
                # Timings are a plugin's own: one that could not be taken is left out.
                if isinstance(seconds, int | float) and math.isfinite(seconds):
                    self._spent[name] += seconds

    def means(self) -> dict[str, float]:
        return {name: seconds / self._answered for name, seconds in self._spent.items()}


def arms_of(stages: Sequence[Measured]) -> Arms:
    return {source.place.name: source.grades for source in stages}


def steps(shared: Sample | None, percent: bool, places: Sequence[Between] = STEPS) -> list[Step]:
    """Those whose both ends have values."""
    if shared is None:
        return []
    return [
        _step(between, shared, percent)
        for between in places
        if between.first in shared.names and between.second in shared.names
    ]


def _step(between: Between, shared: Sample, percent: bool) -> Step:
    ends = between.first, between.second
    loss = shared.loss(*ends)
    lost, gained = shared.changes(*ends)
    p, p_flip = stats.mcnemar(lost, gained), shared.p_flip(*ends)
    before = shared.mean(between.first)
    told = shared.power(*ends, ONE_POINT) if percent else None
    return Step(
        name=between.name,
        first=between.first,
        second=between.second,
        loss=loss,
        p=p,
        p_flip=p_flip,
        lost=lost,
        gained=gained,
        relative=loss.value / before if before else None,
        retention=shared.retention(*ends),
        smallest_loss=told.smallest if told else None,
        items_for_point=told.items if told else None,
        verdict=loss_verdict(loss, p, p_flip, lost + gained, percent),
        clear=is_clear(loss, deciding(p, p_flip)),
    )


def with_variant(results: Results, variant: str) -> list[Key]:
    """Of the model's answers to changed asks."""
    return [key for key in results.results if key.role == "model" and key.variant == variant]
