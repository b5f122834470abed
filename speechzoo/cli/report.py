"""speechzoo report RUN"""

from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from speechzoo.cli.checkpoints import Training
from speechzoo.cli.series import Member
from speechzoo.cli.vary import Factorial
from speechzoo.errors import StoreError
from speechzoo.gap import Report, degradation
from speechzoo.gap.curve import curve
from speechzoo.gap.invariance import with_invariance
from speechzoo.gap.variation import variation
from speechzoo.report import curve as curve_page
from speechzoo.report import html, json_file
from speechzoo.report import variation as variation_page
from speechzoo.report.curve_tables import print_curve
from speechzoo.report.terminal import print_report
from speechzoo.report.variation_tables import print_variation
from speechzoo.run.files import write_whole
from speechzoo.run.records import Results
from speechzoo.run.results import read_results


@click.command("report")
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
def command(run: Path) -> None:
    """Makes the reports of a finished or stopped run again, from what lies in its folder RUN.

    Prints the table and writes report.json and report.html; needs neither the model nor the task. The
    folder of 'eval --checkpoints' or 'eval --vary' works too: every run's report, and the one over all.
    """
    members = _members(run)
    if not members:
        write_reports(run)
        return
    for member in members:
        if _is_run(run / member.run):
            write_files(run / member.run)
    write_series(run)


def _members(folder: Path) -> Sequence[Member]:
    """The runs of a series; none if the folder holds no series."""
    if Training.lies_in(folder):
        return Training.read(folder).checkpoints
    return Factorial.read(folder).cells if Factorial.lies_in(folder) else ()


def write_reports(folder: Path) -> Report:
    """All views of a run's degradation report."""
    report = write_files(folder)
    print_report(report, Console(highlight=False))
    click.echo(f"report: {folder / 'report.html'}")
    return report


def write_files(folder: Path) -> Report:
    """Those views that are files in the run's folder."""
    results = read_results(folder)
    report = with_invariance(degradation(results), results)
    write_whole(folder / "report.json", json_file.render(report))
    write_whole(folder / "report.html", html.render(report, folder))
    return report


def write_series(parent: Path) -> None:
    """All views of what several runs show together: a curve over checkpoints, or a factorial."""
    if Training.lies_in(parent):
        _write_curve(parent)
    else:
        _write_variation(parent)


def _write_curve(parent: Path) -> None:
    training = Training.read(parent)
    steps = {own.run: own.step for own in training.checkpoints}
    runs, missing = _read(parent, training.checkpoints)
    found = curve(
        {steps[run]: results for run, results in runs.items()},
        {steps[run]: reason for run, reason in missing.items()},
        title=f"{training.adapter} on {training.task}",
    )
    write_whole(parent / "curve.json", found.model_dump_json(indent=1) + "\n")
    write_whole(parent / "curve.html", curve_page.render(found))
    print_curve(found, Console(highlight=False))
    click.echo(f"curve: {parent / 'curve.html'}")


def _write_variation(parent: Path) -> None:
    factorial = Factorial.read(parent)
    levels = {cell.run: cell.levels for cell in factorial.cells}
    runs, missing = _read(parent, factorial.cells)
    found = variation(runs, missing, levels, title=f"{factorial.model} on {factorial.task}")
    write_whole(parent / "variation.json", found.model_dump_json(indent=1) + "\n")
    write_whole(parent / "variation.html", variation_page.render(found))
    print_variation(found, Console(highlight=False))
    click.echo(f"variation: {parent / 'variation.html'}")


def _read(parent: Path, members: Sequence[Member]) -> tuple[dict[str, Results], dict[str, str]]:
    """The runs by folder, and why others have none."""
    runs, missing = {}, {}
    for own in members:
        if own.failure is not None:
            missing[own.run] = own.failure
        elif _is_run(parent / own.run):
            try:
                runs[own.run] = read_results(parent / own.run)
            except StoreError as error:
                missing[own.run] = str(error)
        else:
            missing[own.run] = "it has not been evaluated yet"
    return runs, missing


def _is_run(folder: Path) -> bool:
    return (folder / "run.json").exists()
