"""Where it is lost: the used items by attribute, by seconds of speech and by what was heard."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from speechzoo import stats
from speechzoo.gap.families import Family
from speechzoo.gap.findings import Breakdown, Group
from speechzoo.gap.sample import Sample
from speechzoo.gap.stages import Measured
from speechzoo.gap.wording import deciding
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
    """By the task's subsets first, then by its other attributes, seconds of speech and word error rate.

    Left out is what tells no items apart, or each one, or has more groups than a reader can compare.
    """
    names = dict.fromkeys(name for item in family.items for name in results.items[item].attributes)
    in_order = sorted(names, key=lambda name: name != SUBSET)
    groupings = [(name, *_by_attribute(results, family.items, name)) for name in in_order]
    spoken = next((stage for stage in family.stages if stage.place.condition.speech_in), None)
    if spoken is not None:
        groupings.append((SECONDS, *_by_number(_seconds(results, spoken, family.items))))
        groupings.append(_by_word_errors(results, spoken, family.items))
    found = []
    for name, labels, order in groupings:
        if family.shared and 1 < len(order) <= MOST and (len(order) < len(labels) or len(order) <= FEW):
            members: defaultdict[str, list[str]] = defaultdict(list)
            for item, label in labels.items():
                members[label].append(item)
            groups = [_group(family, family.shared, label, members[label]) for label in order]
            found.append(Breakdown(name=name, groups=tuple(groups)))
    return found


def subset_items(results: Results, items: Sequence[str], subset: str) -> list[str]:
    """Those of one subset."""
    return [item for item in items if str(results.items[item].attributes.get(SUBSET, "")) == subset]


def pooled_note(results: Results, shared: Sample | None) -> str | None:
    """What a value over several subsets is the mean of; None over one."""
    comparisons: defaultdict[str, float] = defaultdict(float)
    if shared is not None:
        for item, weight in zip(shared.items, shared.weights[0], strict=True):
            comparisons[str(results.items[item].attributes.get(SUBSET, ""))] += weight
    if len(comparisons) < 2:
        return None
    shares = ", ".join(f"{name or 'none'} {weight:g}" for name, weight in comparisons.items())
    return (
        f"Values over all items pool {len(comparisons)} subsets, weighted by comparisons ({shares}); "
        "each subset alone is in the first breakdown."
    )


def _by_attribute(results: Results, items: Sequence[str], name: str) -> tuple[Labels, list[str]]:
    having = [item for item in items if name in results.items[item].attributes]
    given = {item: results.items[item].attributes[name] for item in having}
    numbers = {item: float(value) for item, value in given.items() if not isinstance(value, str)}
    if len(numbers) == len(given):
        return _by_number(numbers)
    labels = {item: str(value) for item, value in given.items()}
    return labels, sorted(set(labels.values()), key=_in_reading_order)


def _in_reading_order(label: str) -> list[tuple[int, str]]:
    """Numbers within labels by their size: ``5-9`` before ``10-14``."""
    pieces = re.split(r"(\d+)", label)
    return [(int(piece), "") if piece.isdigit() else (-1, piece) for piece in pieces]


def _by_number(numbers: Mapping[str, float]) -> tuple[Labels, list[str]]:
    """One group a number, or terciles if there are many."""
    distinct = set(numbers.values())
    if len(distinct) <= FEW:
        return {item: f"{value:g}" for item, value in numbers.items()}, [f"{v:g}" for v in sorted(distinct)]
    low, high = np.quantile(list(numbers.values()), [1 / 3, 2 / 3])
    order = [f"up to {low:.4g}", f"{low:.4g} to {high:.4g}", f"over {high:.4g}"]
    labels = {item: order[int(value > low) + int(value > high)] for item, value in numbers.items()}
    present = set(labels.values())
    return labels, [label for label in order if label in present]


def _seconds(results: Results, spoken: Measured, items: Sequence[str]) -> dict[str, float]:
    asks = {item: results.items[item].asks.get(spoken.place.condition) for item in items}
    return {item: ask.seconds for item, ask in asks.items() if ask is not None and ask.seconds is not None}


def _by_word_errors(
    results: Results, spoken: Measured, items: Sequence[str]
) -> tuple[str, Labels, list[str]]:
    """By the model's own ears where it tells what it heard, else by those of the run's transcriber."""
    heard = {item: result.wer for item in items if (result := spoken.results.get(item)) is not None}
    own = {item: wer for item, wer in heard.items() if wer is not None}
    other = {item: results.audio_wer[item] for item in items if item in results.audio_wer}
    name, rates = (MODEL_HEARD, own) if own else (TRANSCRIBER_HEARD, other)
    labels = {item: next(label for end, label in WER_BINS if wer <= end) for item, wer in rates.items()}
    present = set(labels.values())
    return name, labels, [label for _, label in WER_BINS if label in present]


def _group(family: Family, shared: Sample, label: str, members: Sequence[str]) -> Group:
    own = shared.over(members)
    assert own is not None
    values = {name: own.estimate(name) for stage in family.stages if (name := stage.place.name) in own.names}
    if family.ends is None:
        return Group(label=label, items=len(members), values=values)
    lost, gained = own.changes(*family.ends)
    return Group(
        label=label,
        items=len(members),
        values=values,
        loss=own.loss(*family.ends),
        lost=lost,
        gained=gained,
        p=deciding(stats.mcnemar(lost, gained), own.p_clustered(*family.ends)),
        retention=own.retention(*family.ends),
    )
