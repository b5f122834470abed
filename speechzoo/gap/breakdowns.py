"""Where it is lost: the used items by attribute and by what was heard."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from speechzoo.gap.findings import Breakdown, Group, StageName
from speechzoo.gap.sample import sample
from speechzoo.gap.stages import Measured, arms_of
from speechzoo.run.records import Results

FEW = 6
WER_BINS = ((0.0, "0 %"), (0.1, "up to 10 %"), (0.3, "10 to 30 %"), (float("inf"), "over 30 %"))

Labels = Mapping[str, str]


def breakdowns(
    results: Results,
    stages: Sequence[Measured],
    items: Sequence[str],
    main: tuple[StageName, StageName] | None,
) -> list[Breakdown]:
    """One for each attribute that tells items apart without telling each one apart, and one by WER."""
    names = dict.fromkeys(name for item in items for name in results.items[item].attributes)
    groupings = [(name, *_by_attribute(results, items, name)) for name in names]
    groupings.append(("word error rate of what was heard", *_by_wer(stages, items)))
    found = []
    for name, labels, order in groupings:
        if len(order) > 1 and (len(order) < len(labels) or len(order) <= FEW):
            groups = [_group(results, stages, label, labels, main) for label in order]
            found.append(Breakdown(name=name, groups=tuple(groups)))
    return found


def _by_attribute(results: Results, items: Sequence[str], name: str) -> tuple[Labels, list[str]]:
    having = [item for item in items if name in results.items[item].attributes]
    given = {item: results.items[item].attributes[name] for item in having}
    numbers = {item: float(value) for item, value in given.items() if not isinstance(value, str)}
    distinct = set(numbers.values())
    if len(numbers) == len(given) and len(distinct) > FEW:
        return _terciles(numbers)
    if len(numbers) == len(given):
        order = [f"{value:g}" for value in sorted(distinct)]
        return {item: f"{value:g}" for item, value in numbers.items()}, order
    labels = {item: str(value) for item, value in given.items()}
    return labels, sorted(set(labels.values()), key=_in_reading_order)


def _in_reading_order(label: str) -> list[tuple[int, str]]:
    """Numbers within labels by their size: ``5-9`` before ``10-14``."""
    pieces = re.split(r"(\d+)", label)
    return [(int(piece), "") if piece.isdigit() else (-1, piece) for piece in pieces]


def _terciles(numbers: Mapping[str, float]) -> tuple[Labels, list[str]]:
    low, high = np.quantile(list(numbers.values()), [1 / 3, 2 / 3])
    order = [f"up to {low:.4g}", f"{low:.4g} to {high:.4g}", f"over {high:.4g}"]
    labels = {item: order[int(value > low) + int(value > high)] for item, value in numbers.items()}
    present = set(labels.values())
    return labels, [label for label in order if label in present]


def _by_wer(stages: Sequence[Measured], items: Sequence[str]) -> tuple[Labels, list[str]]:
    heard = next((stage.results for stage in stages if stage.place.name == "S"), {})
    labels = {
        item: next(label for end, label in WER_BINS if wer <= end)
        for item in items
        if item in heard and (wer := heard[item].wer) is not None
    }
    present = set(labels.values())
    return labels, [label for _, label in WER_BINS if label in present]


def _group(
    results: Results,
    stages: Sequence[Measured],
    label: str,
    labels: Labels,
    main: tuple[StageName, StageName] | None,
) -> Group:
    members = [item for item, own in labels.items() if own == label]
    shared = sample(arms_of(stages), members, results)
    assert shared is not None
    values = {stage.place.name: shared.mean(stage.place.name) for stage in stages if stage.grades}
    return Group(label=label, items=len(members), values=values, loss=shared.loss(*main) if main else None)
