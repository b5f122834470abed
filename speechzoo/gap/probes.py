"""What the numbers rest on: can the answers be guessed, and does the audio change them?"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from speechzoo import stats
from speechzoo.asks import Answer, ContinuationScore, Failure, ScoreAnswer, replies_of
from speechzoo.gap.findings import Added, Hearing, Prior, Probe
from speechzoo.gap.sample import Sample, sample
from speechzoo.gap.stages import usable, with_variant
from speechzoo.gap.wording import added_verdict, deciding, is_clear, prior_verdict
from speechzoo.run.records import Result, Results, Variant
from speechzoo.specs import Condition
from speechzoo.task import Grade

PRIOR = "prior"
_HEARD = "heard"
MOVED = 1e-3
"""Nats a token: scores that move less have not moved (rounding of half precision moves them as much)."""


def prior(results: Results, percent: bool) -> Prior | None:
    """The primary metric without the context."""
    outcomes = _without_context(results)
    shared = prior_sample(results)
    if shared is None:
        return None
    estimate = shared.estimate(PRIOR)
    return Prior(
        items=len(shared.items),
        invalid=dict(Counter(o.reason for o in outcomes.values() if isinstance(o, Failure)).most_common()),
        ties=sum(outcome.tie for outcome in outcomes.values() if isinstance(outcome, Grade)),
        estimate=estimate,
        verdict=prior_verdict(estimate, shared.chance(PRIOR), shared.metric.higher_is_better, percent),
        added=_added(results, percent),
    )


def prior_sample(results: Results) -> Sample | None:
    """One arm, the primary metric without the context, over the items that have it; None if none has."""
    grades = _grades(_without_context(results))
    return sample({PRIOR: grades}, list(grades), results)


def _added(results: Results, percent: bool) -> Added | None:
    without = _grades(_without_context(results))
    heard = _grades(
        {
            key.item: usable(result.outcome, results.run.task.metrics[0].name)
            for key, result in results.results.items()
            if (key.role, key.condition, key.variant) == ("model", Condition.S2T, "")
        }
    )
    items = [item for item in heard if item in without]
    shared = sample({_HEARD: heard, PRIOR: without}, items, results)
    if shared is None:
        return None
    better, worse = shared.changes(_HEARD, PRIOR)
    p, p_flip = stats.mcnemar(worse, better), shared.p_flip(_HEARD, PRIOR)
    gain = shared.loss(_HEARD, PRIOR)
    return Added(
        items=len(items),
        gain=gain,
        better=better,
        worse=worse,
        p=p,
        p_flip=p_flip,
        verdict=added_verdict(gain, p, p_flip, percent),
        clear=is_clear(gain, deciding(p, p_flip)),
    )


def _grades(outcomes: Mapping[str, Grade | Failure]) -> dict[str, Grade]:
    return {item: outcome for item, outcome in outcomes.items() if isinstance(outcome, Grade)}


def _without_context(results: Results) -> dict[str, Grade | Failure]:
    asked = with_variant(results, PRIOR)
    # One condition is enough: their continuations differ by no more than a space.
    condition = min((key.condition for key in asked), key=list(Condition).index, default=None)
    metric = results.run.task.metrics[0].name
    return {
        key.item: usable(results.results[key].outcome, metric) for key in asked if key.condition == condition
    }


def hearing(results: Results) -> Hearing | None:
    """Whether other audio changes the answers; None if nothing spoken was asked."""
    probes = [_probe(results, variant) for variant in ("swapped", "silence")]
    found = tuple(probe for probe in probes if probe is not None)
    swapped = next((probe for probe in found if probe.variant == "swapped"), None)
    if swapped is None:
        asked = any(key.role == "model" and key.condition.speech_in for key in results.results)
        unknown = "whether the audio changes the answers was not probed"
        return Hearing(probes=found, heard=None, verdict=unknown) if asked else None
    count = f"{swapped.changed} of {swapped.items} changed when it was another item's"
    temperature = highest_temperature(results.run.systems["model"].identity)
    if temperature > 0 and swapped.mean_change is None:
        chance = f"replies are drawn at random (temperature {temperature:g}) and change by chance"
        return Hearing(probes=found, heard=None, verdict=f"cannot be told, {chance}: {count}")
    heard = 2 * swapped.changed >= swapped.items
    claim = "changes" if heard else "hardly changes" if swapped.changed else "does not change"
    return Hearing(probes=found, heard=heard, verdict=f"the audio {claim} the answers: {count}")


def highest_temperature(identity: Mapping[str, Any]) -> float:
    """The highest that a system or one of its parts draws its replies with."""
    parts = [highest_temperature(part) for part in identity.get("parts", {}).values()]
    return max([float(identity.get("parameters", {}).get("temperature", 0)), *parts])


def _probe(results: Results, variant: Variant) -> Probe | None:
    pairs = [
        (original, altered)
        for key in with_variant(results, variant)
        if key.condition == Condition.S2T
        and (original := results.results.get(replace(key, variant=""))) is not None
        and _comparable(original.answer, (altered := results.results[key]).answer)
    ]
    if not pairs:
        return None
    moves = [move for one, two in pairs if (move := _score_change(one.answer, two.answer)) is not None]
    margins = [change for one, two in pairs if (change := _margin_change(one, two)) is not None]
    graded = _both_graded(pairs, results)
    return Probe(
        variant=variant,
        items=len(pairs),
        changed=sum(_changed(one.answer, two.answer) for one, two in pairs),
        mean_change=_mean(moves),
        mean_margin_change=_mean(margins),
        original=graded.estimate("original") if graded else None,
        altered=graded.estimate("altered") if graded else None,
    )


def _comparable(one: Answer | Failure, two: Answer | Failure) -> bool:
    return not isinstance(one, Failure) and type(one) is type(two)


def _changed(one: Answer | Failure, two: Answer | Failure) -> bool:
    change = _score_change(one, two)
    return change > MOVED if change is not None else _texts(one) != _texts(two)


def _score_change(one: Answer | Failure, two: Answer | Failure) -> float | None:
    """Mean over continuations of |change of log-likelihood| a token."""
    if not isinstance(one, ScoreAnswer) or not isinstance(two, ScoreAnswer):
        return None
    return _mean([_moved(a, b) for a, b in zip(one.scores, two.scores, strict=True)])


def _moved(one: ContinuationScore, two: ContinuationScore) -> float:
    return abs(one.mean_nll - two.mean_nll)


def _texts(answer: Answer | Failure) -> tuple[str | None, ...]:
    return tuple(reply.text for reply in replies_of(answer))


def margin_of(result: Result | None) -> float | None:
    """The task's own margin between right and wrong, if it grades one."""
    if result is None or not isinstance(result.answer, ScoreAnswer) or not isinstance(result.outcome, Grade):
        return None
    margin = result.outcome.details.get("margin")
    return float(margin) if isinstance(margin, int | float) else None


def _margin_change(one: Result, two: Result) -> float | None:
    before, after = margin_of(one), margin_of(two)
    return None if before is None or after is None else abs(before - after)


def _both_graded(pairs: list[tuple[Result, Result]], results: Results) -> Sample | None:
    """Both sides over the items that have a value on both."""
    metric = results.run.task.metrics[0].name
    outcomes = {
        one.key.item: (usable(one.outcome, metric), usable(two.outcome, metric)) for one, two in pairs
    }
    original = {item: grade for item, (grade, _) in outcomes.items() if isinstance(grade, Grade)}
    altered = {item: grade for item, (_, grade) in outcomes.items() if isinstance(grade, Grade)}
    items = [item for item in original if item in altered]
    return sample({"original": original, "altered": altered}, items, results)


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
