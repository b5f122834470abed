"""Evaluates one run, or several one after the other, with progress, reports and an exit code."""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from speechzoo.catalogue import Catalogue
from speechzoo.cli.progress import progress_display
from speechzoo.cli.report import write_files, write_reports, write_series
from speechzoo.cli.series import Member, Series
from speechzoo.errors import (
    EXIT_ENVIRONMENT,
    EXIT_TOO_MANY_INVALID,
    SetupError,
    SpeechzooError,
    StoreError,
)
from speechzoo.gap import Report
from speechzoo.loading import Component
from speechzoo.run.evaluate import MakeExecutor, evaluate
from speechzoo.run.request import Request


def run_one(request: Request, catalogue: Catalogue, max_errors: str, make_executor: MakeExecutor) -> None:
    """Evaluates it and shows its report; exits with 1 if too much of it is invalid.

    A shard has no report: what it says of a part would be taken for the whole.
    """
    folder = _answer(request, catalogue, make_executor)
    if request.shard is not None:
        click.echo(f"{folder}: shard {request.shard}; when all are there: speechzoo merge OUT SHARD...")
        return
    finish(folder, catalogue, max_errors)


def finish(folder: Path, catalogue: Catalogue, max_errors: str) -> None:
    """Shows the report of a run that is whole; exits with 1 if too much of it is invalid."""
    report = write_reports(folder)
    _tell_finished(folder, report, catalogue)
    if not _allowed(report, max_errors):
        raise SystemExit(EXIT_TOO_MANY_INVALID)


def run_series(
    series: Series,
    requests: Sequence[tuple[Member, Request]],
    needed: Iterable[Component],
    parent: Path,
    catalogue: Catalogue,
    max_errors: str,
    make_executor: MakeExecutor,
) -> None:
    """Evaluates one after the other; what befalls one does not stop the others.

    Args:
        series: what lies in the folder, or will.
        requests: what is to be run now.
        needed: what none of them can do without: it is missing once, and not for each of them.
        parent: the folder of them all.
        catalogue: whose plugins are told of every event.
        max_errors: see `_allowed`.
        make_executor: answers the asks.
    """
    for component in needed:
        component.require(requests[0][1].trust_remote_code)
    parent.mkdir(parents=True, exist_ok=True)
    series.write(parent)
    failed = too_many = False
    for place, (member, request) in enumerate(requests, start=1):
        name = f"{member.title} ({place} of {len(requests)})"
        click.echo(f"{name}: {request.systems['model'].name}", err=True)
        try:
            report, failure = _member_report(request, catalogue, make_executor), None
        except (SetupError, StoreError) as error:
            failed, failure = True, _what_failed(error, parent / member.run)
            click.echo(f"{name} could not be run: {error}", err=True)
        else:
            too_many |= not _allowed(report, max_errors)
        series = series.with_failure(member.run, failure)
        series.write(parent)
    write_series(parent)
    if failed:
        raise SystemExit(EXIT_ENVIRONMENT)
    if too_many:
        raise SystemExit(EXIT_TOO_MANY_INVALID)


def _member_report(request: Request, catalogue: Catalogue, make_executor: MakeExecutor) -> Report:
    """One run of a series, whose report is written and not shown."""
    try:
        folder = _answer(request, catalogue, make_executor)
    except SetupError:
        assert request.out is not None
        _remove_if_empty(request.out)
        raise
    report = write_files(folder)
    _tell_finished(folder, report, catalogue)
    click.echo(report.headline, err=True)
    return report


def _what_failed(error: SpeechzooError, run: Path) -> str | None:
    """What is kept of it. A run that is there is not hidden because its folder was refused, or in use."""
    return None if isinstance(error, StoreError) and (run / "run.json").exists() else str(error)


def _remove_if_empty(run: Path) -> None:
    """A run whose model cannot be loaded holds nothing, and would refuse the model once that is mended."""
    answers = run / "answers.jsonl"
    if answers.exists() and not answers.stat().st_size:
        shutil.rmtree(run)


def _answer(request: Request, catalogue: Catalogue, make_executor: MakeExecutor) -> Path:
    with progress_display() as progress:
        return evaluate(request, catalogue.plugins, progress, make_executor)


def _tell_finished(folder: Path, report: Report, catalogue: Catalogue) -> None:
    catalogue.plugins.emit("speechzoo_run_finished", folder=folder, report=report.model_dump(mode="json"))


def _allowed(report: Report, max_errors: str) -> bool:
    """Whether the report has no more invalid items than that; says so if it has."""
    invalid, planned = report.invalid_count(), report.planned_count()
    number = float(max_errors.removesuffix("%"))
    if invalid <= (number / 100 * planned if max_errors.endswith("%") else number):
        return True
    click.echo(f"{invalid} of {planned} answers are invalid, allowed are {max_errors}", err=True)
    return False
