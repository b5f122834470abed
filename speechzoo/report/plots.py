"""Where things go in the page's drawings; the template draws them as SVG."""

from dataclasses import dataclass

from speechzoo.gap.findings import Report, Stage
from speechzoo.gap.terms import StageName
from speechzoo.gap.turn_findings import TurnFinding, TurnMean, TurnTrend
from speechzoo.gap.wording import interval, number
from speechzoo.report.curve_plots import Axis, Tick

BEFORE: dict[StageName, StageName] = {"T": "T0", "TS": "T", "S": "T", "SS": "S", "C": "CT"}
SPEECH_BEFORE: dict[StageName, StageName] = {"SS": "TS"}
ROW_HEIGHT = 44
LABEL_WIDTH = 230
NAME_WIDTH = 56
SIGN_WIDTH = 6.9
PLOT_WIDTH = 900
TURNS_LEFT, TURNS_RIGHT, TURNS_TOP, TURNS_BOTTOM = 46, 432, 10, 160
BESIDE = 10
MOST_TICKS = 5
MARGIN = 0.06


@dataclass(frozen=True)
class Scale:
    """From values to horizontal pixels."""

    low: float
    high: float
    left: float
    right: float

    def x(self, value: float) -> float:
        inside = min(max(value, self.low), self.high)
        return round(self.left + (inside - self.low) / (self.high - self.low) * (self.right - self.left), 1)

    def ticks(self) -> list[float]:
        """Five, evenly spaced."""
        return [self.low + (self.high - self.low) * step / 4 for step in range(5)]


@dataclass(frozen=True)
class Bar:
    """A stage in the plot: its bar, and how far the stage before reached."""

    stage: Stage
    y: int
    before: float | None


@dataclass(frozen=True)
class StagePlot:
    """The waterfall of the stages."""

    scale: Scale
    bars: tuple[Bar, ...]
    height: int


def stage_plot(report: Report) -> StagePlot:
    """A bar a stage; between it and the stage before it lies what was lost."""
    bars = [
        Bar(stage, ROW_HEIGHT * place, _before(stage, report)) for place, stage in enumerate(report.stages)
    ]
    longest = max((len(stage.words) for stage in report.stages), default=0)
    left = max(LABEL_WIDTH, NAME_WIDTH + SIGN_WIDTH * longest)
    scale = value_scale(report, left, PLOT_WIDTH - 70)
    return StagePlot(scale, tuple(bars), ROW_HEIGHT * len(bars))


def _before(stage: Stage, report: Report) -> float | None:
    name = (SPEECH_BEFORE if stage.speech_scored else BEFORE).get(stage.name)
    before = [other.estimate for other in report.stages if other.name == name and other.estimate]
    return before[0].value if before else None


def value_scale(report: Report, left: float, right: float) -> Scale:
    """From the metric's lowest value to its highest, or to the highest seen if it has none."""
    seen = [stage.estimate for stage in report.stages if stage.estimate]
    highest = max((estimate.high or estimate.value for estimate in seen), default=report.metric.low + 1)
    high = report.metric.high if report.metric.high is not None else highest * 1.05
    return Scale(report.metric.low, max(high, report.metric.low + 1e-9), left, right)


def loss_scale(report: Report, left: float, right: float) -> Scale:
    """Symmetric around no loss, wide enough for every step's interval."""
    losses = [step.loss for step in report.steps]
    ends = [abs(end) for loss in losses for end in (loss.value, loss.low, loss.high) if end is not None]
    widest = max(ends, default=0.0) or 1.0
    return Scale(-widest, widest, left, right)


@dataclass(frozen=True)
class TurnMark:
    """A turn's mean: where it stands, its whisker, and what it tells when it is pointed at."""

    x: float
    y: float
    whisker: str
    few: bool
    told: str


@dataclass(frozen=True)
class TurnLine:
    """A stage's means."""

    stage: StageName
    path: str
    marks: tuple[TurnMark, ...]


@dataclass(frozen=True)
class TurnPlot:
    """One value over the turns; the stages stand beside each other at each of them."""

    finding: TurnFinding
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    lines: tuple[TurnLine, ...]


def turn_plots(report: Report) -> list[TurnPlot]:
    """One a value."""
    return [_turn_plot(finding) for finding in report.by_turn]


def _turn_plot(finding: TurnFinding) -> TurnPlot:
    turns = len(finding.trends[0].turns)
    beside = BESIDE * (len(finding.trends) - 1) / 2
    across = Axis(0.5, turns + 0.5, TURNS_LEFT, TURNS_RIGHT)
    up = _turn_axis(finding)
    ticks = up.ticks(whole=False, percent=finding.percent)
    return TurnPlot(
        finding=finding,
        across=tuple(Tick(across.at(turn), f"turn {turn}") for turn in range(1, turns + 1)),
        up=ticks if len(ticks) <= MOST_TICKS else ticks[::2],
        lines=tuple(
            _turn_line(trend, across, up, BESIDE * place - beside, finding.percent)
            for place, trend in enumerate(finding.trends)
        ),
    )


def _turn_axis(finding: TurnFinding) -> Axis:
    """As far as the intervals reach, and a little more."""
    means = [turn.estimate for trend in finding.trends for turn in trend.turns if turn.estimate]
    ends = [end for mean in means for end in (mean.low, mean.value, mean.high) if end is not None]
    room = MARGIN * (max(ends) - min(ends)) or MARGIN * abs(ends[0]) or 1.0
    return Axis(min(ends) - room, max(ends) + room, TURNS_BOTTOM, TURNS_TOP)


def _turn_line(trend: TurnTrend, across: Axis, up: Axis, beside: float, percent: bool) -> TurnLine:
    marks = [
        _turn_mark(trend.stage, turn, across.at(turn.turn) + beside, up, percent)
        for turn in trend.turns
        if turn.estimate is not None
    ]
    return TurnLine(trend.stage, "M" + "L".join(f"{mark.x:g} {mark.y:g}" for mark in marks), tuple(marks))


def _turn_mark(stage: StageName, turn: TurnMean, x: float, up: Axis, percent: bool) -> TurnMark:
    mean = turn.estimate
    assert mean is not None
    whisker = ""
    if mean.low is not None and mean.high is not None:
        whisker = f"M{x:g} {up.at(mean.low)}V{up.at(mean.high)}"
    value = f"{number(mean.value, percent)} ({interval(mean, percent)})"
    told = f"{stage}, turn {turn.turn}: {value}, n = {turn.items}"
    return TurnMark(x, up.at(mean.value), whisker, turn.few, told)
