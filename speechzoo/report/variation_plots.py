"""Where things go in the drawings of a factorial: score against each factor's levels."""

from collections.abc import Iterator, Mapping, Sequence

from speechzoo.gap.terms import Estimate, StageName
from speechzoo.gap.variation_findings import Cell, Factor, Reference, Table, Variation
from speechzoo.gap.wording import interval, number
from speechzoo.report.curve_plots import (
    LEFT,
    RIGHT,
    Axis,
    Drawing,
    Mark,
    Stroke,
    Tick,
    bounds,
    path,
    value_axis,
)

ALONG = {
    "snr": "signal-to-noise ratio, dB",
    "noise": "kind of noise",
    "reverb": "reverberation time RT60, seconds",
    "codec": "codec",
    "voice": "voice",
}
COLOURS = 5
# Pixels between sweeps at one level, so that their intervals can be told apart.
BESIDE = 9
CAP = 3


def drawings(variation: Variation, table: Table) -> list[Drawing]:
    """One for each factor and each stage that listens."""
    return list(_drawings(variation, table))


def _drawings(variation: Variation, table: Table) -> Iterator[Drawing]:
    cells = {cell.name: cell for cell in table.cells}
    for factor in table.factors:
        for stage in table.stages:
            sweeps = {sweep.name: _estimates(sweep.cells, cells, stage) for sweep in factor.sweeps}
            if any(sweeps.values()):
                yield _drawing(variation, table, factor, stage, sweeps)


def _estimates(names: Mapping[str, str], cells: Mapping[str, Cell], stage: StageName) -> dict[str, Estimate]:
    """By level."""
    scores = {level: cells[name].scores.get(stage) for level, name in names.items()}
    return {level: one.estimate for level, one in scores.items() if one is not None and one.estimate}


def _drawing(
    variation: Variation,
    table: Table,
    factor: Factor,
    stage: StageName,
    sweeps: Mapping[str, Mapping[str, Estimate]],
) -> Drawing:
    metric, percent = variation.metric, variation.percent
    references = table.references
    shown = [one for values in sweeps.values() for one in values.values()]
    up = value_axis([*shown, *(own.estimate for own in references)], metric.chance, bounds(metric))
    across = Axis(-0.5, len(factor.levels) - 0.5, LEFT, RIGHT)
    strokes = [_reference(own, up, percent) for own in references]
    for place, (name, values) in enumerate(sweeps.items()):
        aside = BESIDE * (place - (len(sweeps) - 1) / 2)
        places = {level: across.at(at) + aside for at, level in enumerate(factor.levels)}
        kind = f"sweep-{place % COLOURS} dash-{place // COLOURS % 2}"
        words = name or f"{stage}: {table.stages[stage]}"
        strokes.append(_stroke(words, kind, places, values, up, percent, factor))
    return Drawing(
        title=f"{metric.name}{', %' if percent else ''} of {stage} by {factor.name}",
        along=ALONG[factor.name],
        across=tuple(Tick(across.at(at), level) for at, level in enumerate(factor.levels)),
        up=up.ticks(whole=False, percent=percent),
        level=up.at(metric.chance) if metric.chance is not None else None,
        level_name="chance",
        strokes=tuple(strokes),
        crosses=(),
        many=False,
    )


def _reference(own: Reference, up: Axis, percent: bool) -> Stroke:
    """A stage that reads, from side to side: what the others fall from."""
    y = up.at(own.estimate.value)
    told = (
        f"{own.name}, {own.words}: {number(own.estimate.value, percent)} ({interval(own.estimate, percent)})"
    )
    name = f"{own.name}: {own.words}"
    return Stroke(name, f"on-{own.name}", path([(LEFT, y), (RIGHT, y)]), "", (Mark(RIGHT, y, told),))


def _stroke(
    name: str,
    kind: str,
    places: Mapping[str, float],
    values: Mapping[str, Estimate],
    up: Axis,
    percent: bool,
    factor: Factor,
) -> Stroke:
    points = [(places[level], up.at(one.value)) for level, one in values.items()]
    marks = [
        Mark(x, y, f"{factor.name}={level}, {name}: {number(one.value, percent)} ({interval(one, percent)})")
        for (x, y), (level, one) in zip(points, values.items(), strict=True)
    ]
    return Stroke(
        name=name,
        kind=kind,
        path=path(points) if factor.ordered else "",
        band="",
        marks=tuple(marks),
        whiskers="".join(_whisker(places[level], one, up) for level, one in values.items()),
    )


def _whisker(x: float, one: Estimate, up: Axis) -> str:
    if one.low is None or one.high is None:
        return ""
    low, high = up.at(one.low), up.at(one.high)
    caps: Sequence[float] = (low, high)
    return path([(x, low), (x, high)]) + "".join(path([(x - CAP, y), (x + CAP, y)]) for y in caps)
