"""Where it is lost: the used items by attribute, by seconds of speech and by what was heard."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from speechzoo import stats
from speechzoo.gap.families import Family
from speechzoo.gap.findings import Breakdown, Group
from speechzoo.gap.probes import PRIOR, prior_sample
from speechzoo.gap.sample import Sample
from speechzoo.gap.stages import ONE_POINT, Measured
from speechzoo.gap.wording import deciding, is_percentage
from speechzoo.run.records import Results

FEW = 6
MOST = 200
SUBSET = "subset"
SECONDS = "seconds of speech"
MODEL_HEARD = "word error rate of what the model heard"
TRANSCRIBER_HEARD = "word error rate of the run's transcriber"
WER_BINS = ((0.0, "0 %"), (0.1, "up to 10 %"), (0.3, "10 to 30 %"), (float("inf"), "over 30 %"))

Labels = Mapping[str, str]


def breakdowns(results: Results, family: Family) -> list[Breakdown]:
    """By the task's subsets first, then by its other attributes, seconds of speech and word error rates.

    Subsets are results of their own: they have a prior and a smallest loss as well. Left out is what
    tells no items apart, or each one, or has more groups than a reader can compare.
    """
    names = dict.fromkeys(name for item in family.items for name in results.items[item].attributes)
    in_order = sorted(names, key=lambda name: name != SUBSET)
    return [
        Breakdown(name=name, groups=tuple(_groups(results, family, family.shared, name, labels, order)))
        for name, labels, order in _groupings(results, family, in_order)
        if family.shared and 1 < len(order) <= MOST and (len(order) < len(labels) or len(order) <= FEW)
    ]


def _groupings(
    results: Results, family: Family, attributes: Sequence[str]
) -> Iterator[tuple[str, Labels, list[str]]]:
    """One after the other: of many items, the labels alone take much memory."""
    for name in attributes:
        yield name, *_by_attribute(results, family.items, name)
    spoken = next((stage for stage in family.stages if stage.place.condition.speech_in), None)
    if spoken is not None:
        yield SECONDS, *_by_number(_seconds(results, spoken, family.items), ".2f")
        yield MODEL_HEARD, *_by_word_errors(_heard(spoken, family.items))
        yield TRANSCRIBER_HEARD, *_by_word_errors(_transcribed(results, family.items))


def _groups(
    results: Results, family: Family, shared: Sample, name: str, labels: Labels, order: Sequence[str]
) -> Iterator[Group]:
    members: defaultdict[str, list[str]] = defaultdict(list)
    for item, label in labels.items():
        members[label].append(item)
    without = prior_sample(results) if name == SUBSET else None
    for label in order:
        own = shared.over(members[label])
        assert own is not None
        if name == SUBSET:
            prior = without.over(subset_items(results, without.items, label)) if without else None
            yield _subset(family, own, label, prior)
        else:
            yield _group(family, own, label)


def subsets(results: Results) -> list[str]:
    """Those of a task that has several."""
    _, order = _by_attribute(results, list(results.items), SUBSET)
    return order if len(order) > 1 else []


def subset_items(results: Results, items: Sequence[str], subset: str) -> list[str]:
    """Those of one subset."""
    return [item for item in items if str(results.items[item].attributes.get(SUBSET, "")) == subset]


def pooled_note(results: Results, shared: Sample | None, apart: str) -> str | None:
    """What a value over several subsets is the mean of, and where they are ``apart``; None over one."""
    comparisons: defaultdict[str, float] = defaultdict(float)
    if shared is not None:
        for item, weight in zip(shared.items, shared.weights[0], strict=True):
            comparisons[str(results.items[item].attributes.get(SUBSET, ""))] += weight
    if len(comparisons) < 2:
        return None
    shares = ", ".join(f"{name or 'none'} {weight:g}" for name, weight in comparisons.items())
    return (
        f"Values over all items pool {len(comparisons)} subsets, weighted by comparisons ({shares}); "
        f"each subset alone {apart}."
    )


def _by_attribute(results: Results, items: Sequence[str], name: str) -> tuple[Labels, list[str]]:
    having = [item for item in items if name in results.items[item].attributes]
    given = {item: results.items[item].attributes[name] for item in having}
    numbers = {item: float(value) for item, value in given.items() if not isinstance(value, str)}
    if name != SUBSET and len(numbers) == len(given):
        return _by_number(numbers)
    labels = {item: str(value) for item, value in given.items()}
    return labels, sorted(set(labels.values()), key=_in_reading_order)


def _in_reading_order(label: str) -> list[tuple[int, str]]:
    """Numbers within labels by their size: ``5-9`` before ``10-14``."""
    pieces = re.split(r"(\d+)", label)
    return [(int(piece), "") if piece.isdigit() else (-1, piece) for piece in pieces]


def _by_number(numbers: Mapping[str, float], written: str = ".4g") -> tuple[Labels, list[str]]:
    """One group a number, or terciles if there are many, their ends ``written`` so."""
    distinct = set(numbers.values())
    if len(distinct) <= FEW:
        names = {value: f"{value:g}" for value in sorted(distinct)}
        return {item: names[value] for item, value in numbers.items()}, [*names.values()]
    low, high = np.quantile(list(numbers.values()), [1 / 3, 2 / 3])
    order = [f"up to {low:{written}}", f"{low:{written}} to {high:{written}}", f"over {high:{written}}"]
    labels = {item: order[int(value > low) + int(value > high)] for item, value in numbers.items()}
    present = set(labels.values())
    return labels, [label for label in order if label in present]


def _seconds(results: Results, spoken: Measured, items: Sequence[str]) -> dict[str, float]:
    """To the hundredth, as they are written."""
    asks = ((item, results.items[item].asks.get(spoken.place.condition)) for item in items)
    known = ((item, ask.seconds) for item, ask in asks if ask is not None)
    return {item: round(seconds, 2) for item, seconds in known if seconds is not None}


def _heard(spoken: Measured, items: Sequence[str]) -> dict[str, float]:
    return {item: spoken.wer[item] for item in items if item in spoken.wer}


def _transcribed(results: Results, items: Sequence[str]) -> dict[str, float]:
    return {item: results.audio_wer[item] for item in items if item in results.audio_wer}


def _by_word_errors(rates: Mapping[str, float]) -> tuple[Labels, list[str]]:
    labels = {item: next(label for end, label in WER_BINS if wer <= end) for item, wer in rates.items()}
    present = set(labels.values())
    return labels, [label for _, label in WER_BINS if label in present]


def _group(family: Family, own: Sample, label: str) -> Group:
    values = {name: own.estimate(name) for stage in family.stages if (name := stage.place.name) in own.names}
    if family.ends is None:
        return Group(label=label, items=len(own.items), values=values)
    lost, gained = own.changes(*family.ends)
    return Group(
        label=label,
        items=len(own.items),
        values=values,
        loss=own.loss(*family.ends),
        lost=lost,
        gained=gained,
        p=deciding(stats.mcnemar(lost, gained), own.p_flip(*family.ends)),
        retention=own.retention(*family.ends),
    )


def _subset(family: Family, own: Sample, label: str, prior: Sample | None) -> Group:
    """With what its items give away without the context, and the loss that could be found in them."""
    percent = is_percentage(own.metric)
    told = own.power(*family.ends, ONE_POINT) if family.ends is not None and percent else None
    return _group(family, own, label).model_copy(
        update={
            "prior": prior.estimate(PRIOR) if prior else None,
            "smallest_loss": told.smallest if told else None,
            "items_for_point": told.items if told else None,
        }
    )
