"""speechzoo report RUN"""

from pathlib import Path

import click
from rich.console import Console

from speechzoo.gap import Report, degradation
from speechzoo.report import html, json_file
from speechzoo.report.terminal import print_report
from speechzoo.run.files import write_whole
from speechzoo.run.results import read_results


@click.command("report")
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
def command(run: Path) -> None:
    """Makes the reports of a finished or stopped run again, from what lies in its folder RUN.

    Prints the table and writes report.json and report.html; needs neither the model nor the task.
    """
    write_reports(run)


def write_reports(folder: Path) -> Report:
    """All views of a run's degradation report."""
    report = degradation(read_results(folder))
    write_whole(folder / "report.json", json_file.render(report))
    write_whole(folder / "report.html", html.render(report, folder))
    print_report(report, Console(highlight=False))
    click.echo(f"report: {folder / 'report.html'}")
    return report
