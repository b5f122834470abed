"""Where things go in the page's drawings; the template draws them as SVG."""

from dataclasses import dataclass

from speechzoo.gap.findings import Report, Stage, StageName

BEFORE: dict[StageName, StageName] = {"T": "T0", "TS": "T", "S": "T", "SS": "S", "C": "CT"}
SPEECH_BEFORE: dict[StageName, StageName] = {"SS": "TS"}
ROW_HEIGHT = 44
LABEL_WIDTH = 230
NAME_WIDTH = 56
SIGN_WIDTH = 6.9
PLOT_WIDTH = 900


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
