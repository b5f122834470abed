"""Parts of a report by their names."""

from speechzoo.gap.findings import Breakdown, MetricRow, Report, Stage, Step


def stage_of(report: Report, name: str) -> Stage:
    return next(stage for stage in report.stages if stage.name == name)


def step_of(report: Report, name: str) -> Step:
    return next(step for step in report.steps if step.name == name)


def metric_of(report: Report, name: str) -> MetricRow:
    return next(row for row in report.metrics if row.metric.name == name)


def breakdown_of(report: Report, name: str) -> Breakdown:
    return next(own for own in report.breakdowns if own.name == name)
