"""Where things go in the drawings of a curve; the template draws them as SVG."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from speechzoo.gap.curve_findings import Curve, Line, Missing
from speechzoo.gap.terms import Estimate
from speechzoo.gap.wording import interval, is_percentage, number
from speechzoo.run.records import MetricInfo

LEFT, RIGHT, TOP, BOTTOM = 56, 884, 12, 252
MOST_TICKS = 8
MARGIN = 0.06
FEW_POINTS = 60
MOST_TOGETHER = 2

Values = Mapping[int, Estimate]
"""By step."""


@dataclass(frozen=True)
class Tick:
    """A round number on an axis: where it is, and how it reads."""

    at: float
    label: str


@dataclass(frozen=True)
class Axis:
    """From values to pixels."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        return round(self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start), 1)

    def ticks(self, whole: bool, percent: bool = False) -> tuple[Tick, ...]:
        """At most eight."""
        span = self.high - self.low
        power = 10.0 ** math.floor(math.log10(span / MOST_TICKS))
        size = next(size for size in (power, 2 * power, 5 * power, 10 * power) if span / size <= MOST_TICKS)
        size = max(size, 1.0) if whole else size
        first, last = math.ceil(self.low / size - 1e-9), math.floor(self.high / size + 1e-9)
        places = [place * size for place in range(first, last + 1)]
        return tuple(Tick(self.at(value), f"{100 * value if percent else value:,.6g}") for value in places)


@dataclass(frozen=True)
class Mark:
    """Something at a step: where it stands, and what it tells when it is pointed at."""

    x: float
    y: float
    told: str


@dataclass(frozen=True)
class Stroke:
    """A line of a drawing: its name, its classes in the style sheet, and its paths, "" for none of them.

    Intervals are a ``band`` along the line, or ``whiskers`` at its marks.
    """

    name: str
    kind: str
    path: str
    band: str
    marks: tuple[Mark, ...]
    whiskers: str = ""


@dataclass(frozen=True)
class Drawing:
    """One metric, or several of one scale, over steps or levels.

    Attributes:
        title: what is drawn.
        along: what the axis from left to right is of.
        across: its ticks.
        up: ticks of the axis of values.
        level: where a value such as chance is marked; None if it is not.
        level_name: what it is.
        strokes: in the order of the legend.
        crosses: where there is no value.
        many: more points than marks can be told apart.
    """

    title: str
    along: str
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    level: float | None
    level_name: str
    strokes: tuple[Stroke, ...]
    crosses: tuple[Mark, ...]
    many: bool


@dataclass(frozen=True)
class _Content:
    """What a drawing is of; ``lines`` by name and classes, ``low`` and ``high`` what no axis exceeds."""

    title: str
    lines: Mapping[tuple[str, str], Values]
    percent: bool
    low: float = -math.inf
    high: float = math.inf
    level: float | None = None
    level_name: str = ""


def drawings(curve: Curve, line: Line) -> list[Drawing]:
    """The primary metric by stage, the drop, and the other metrics."""
    steps = [point.step for point in line.points]
    return [
        _drawing(content, steps, curve.missing)
        for content in _contents(curve, line)
        if any(content.lines.values())
    ]


def _contents(curve: Curve, line: Line) -> Iterator[_Content]:
    metric, unit = curve.metric, ", %" if curve.percent else ""
    stages = {
        (f"{name}: {words}", f"on-{name}"): {
            point.step: estimate
            for point in line.points
            if name in point.stages and (estimate := point.stages[name].estimate)
        }
        for name, words in line.stages.items()
    }
    yield _Content(
        f"{metric.name}{unit}",
        stages,
        curve.percent,
        *bounds(metric),
        level=metric.chance,
        level_name="chance",
    )
    if line.ends is not None:
        name = f"drop {' − '.join(line.ends)}"
        drop = {(name, "on-drop"): {point.step: point.drop for point in line.points if point.drop}}
        yield _Content(f"{name}{unit}", drop, curve.percent, level=0.0, level_name="no drop")
    for several in _together(curve):
        percent = is_percentage(several[0])
        lines = {
            (f"{metric.name}, {name}", f"on-{name} dash-{place}"): {
                point.step: point.stages[name].others[metric.name]
                for point in line.points
                if name in point.stages and metric.name in point.stages[name].others
            }
            for place, metric in enumerate(several)
            for name in line.stages
        }
        title = f"{', '.join(metric.name for metric in several)}{', %' if percent else ''}"
        yield _Content(title, lines, percent, *bounds(several[0]))


def bounds(metric: MetricInfo) -> tuple[float, float]:
    return metric.low, math.inf if metric.high is None else metric.high


def _together(curve: Curve) -> list[list[MetricInfo]]:
    """The other metrics, at most two of one scale in a drawing; what is of the primary's scale comes last."""
    scales: dict[tuple[object, ...], list[MetricInfo]] = {}
    for metric in curve.others:
        scales.setdefault(_scale(metric), []).append(metric)
    in_order = sorted(scales, key=lambda scale: scale == _scale(curve.metric))
    return [
        scales[scale][start : start + MOST_TOGETHER]
        for scale in in_order
        for start in range(0, len(scales[scale]), MOST_TOGETHER)
    ]


def _scale(metric: MetricInfo) -> tuple[object, ...]:
    return metric.higher_is_better, metric.low, metric.high


def _drawing(content: _Content, steps: Sequence[int], missing: Sequence[Missing]) -> Drawing:
    across = _step_axis([*steps, *(own.step for own in missing)])
    estimates = [estimate for values in content.lines.values() for estimate in values.values()]
    level = content.level
    up = value_axis(estimates, level, (content.low, content.high))
    return Drawing(
        title=content.title,
        along="training step",
        across=across.ticks(whole=True),
        up=up.ticks(whole=False, percent=content.percent),
        level=up.at(level) if level is not None else None,
        level_name=content.level_name,
        strokes=tuple(
            _stroke(name, kind, values, across, up, content.percent)
            for (name, kind), values in content.lines.items()
            if values
        ),
        crosses=tuple(Mark(across.at(own.step), BOTTOM, f"step {own.step}: {own.reason}") for own in missing),
        many=len(steps) > FEW_POINTS,
    )


def _step_axis(steps: Sequence[int]) -> Axis:
    low, high = min(steps), max(steps)
    room = 0 if high > low else 1
    return Axis(low - room, high + room, LEFT + 10, RIGHT - 10)


def value_axis(estimates: Iterable[Estimate], level: float | None, bounds: tuple[float, float]) -> Axis:
    """As far as intervals and level reach, and a little more where values can."""
    ends = [end for one in estimates for end in (one.low, one.value, one.high) if end is not None]
    ends += [] if level is None else [level]
    low, high = min(ends), max(ends)
    room = MARGIN * (high - low) or 0.5
    return Axis(max(low - room, min(bounds[0], low)), min(high + room, max(bounds[1], high)), BOTTOM, TOP)


def _stroke(name: str, kind: str, values: Values, across: Axis, up: Axis, percent: bool) -> Stroke:
    points = [(across.at(step), up.at(one.value)) for step, one in values.items()]
    banded = [(across.at(step), one.low, one.high) for step, one in values.items()]
    upper = [(x, up.at(high)) for x, _, high in banded if high is not None]
    lower = [(x, up.at(low)) for x, low, _ in banded if low is not None]
    told = [
        f"step {step}, {name}: {number(one.value, percent)} ({interval(one, percent)})"
        for step, one in values.items()
    ]
    return Stroke(
        name=name,
        kind=kind,
        path=path(points),
        band=f"{path([*upper, *reversed(lower)])}Z" if upper else "",
        marks=tuple(Mark(x, y, words) for (x, y), words in zip(points, told, strict=True)),
    )


def path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points)
