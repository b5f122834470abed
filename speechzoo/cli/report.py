"""speechzoo report RUN"""

from pathlib import Path

import click
from rich.console import Console

from speechzoo.cli.checkpoints import is_series, read_series
from speechzoo.gap import Report, degradation
from speechzoo.gap.curve import curve
from speechzoo.report import curve as curve_page
from speechzoo.report import html, json_file
from speechzoo.report.curve_tables import print_curve
from speechzoo.report.terminal import print_report
from speechzoo.run.files import write_whole
from speechzoo.run.results import read_results


@click.command("report")
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
def command(run: Path) -> None:
    """Makes the reports of a finished or stopped run again, from what lies in its folder RUN.

    Prints the table and writes report.json and report.html; needs neither the model nor the task. The
    folder of 'eval --checkpoints' works too: every run's report, and the curve over training steps.
    """
    if not is_series(run):
        write_reports(run)
        return
    for checkpoint in read_series(run).checkpoints:
        if _is_run(run / checkpoint.run):
            write_files(run / checkpoint.run)
    write_curve(run)


def write_reports(folder: Path) -> Report:
    """All views of a run's degradation report."""
    report = write_files(folder)
    print_report(report, Console(highlight=False))
    click.echo(f"report: {folder / 'report.html'}")
    return report


def write_files(folder: Path) -> Report:
    """Those views that are files in the run's folder."""
    report = degradation(read_results(folder))
    write_whole(folder / "report.json", json_file.render(report))
    write_whole(folder / "report.html", html.render(report, folder))
    return report


def write_curve(parent: Path) -> None:
    """All views of the curve over a series of checkpoints."""
    series = read_series(parent)
    runs, missing = {}, {}
    for own in series.checkpoints:
        if own.failure is not None:
            missing[own.step] = own.failure
        elif _is_run(parent / own.run):
            runs[own.step] = read_results(parent / own.run)
        else:
            missing[own.step] = "it has not been evaluated yet"
    found = curve(runs, missing, title=f"{series.adapter} on {series.task}")
    write_whole(parent / "curve.json", found.model_dump_json(indent=1) + "\n")
    write_whole(parent / "curve.html", curve_page.render(found))
    print_curve(found, Console(highlight=False))
    click.echo(f"curve: {parent / 'curve.html'}")


def _is_run(folder: Path) -> bool:
    return (folder / "run.json").exists()
