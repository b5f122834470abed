"""speechzoo judge-report"""

from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from speechzoo import SpeechzooError, __version__
from speechzoo.run.files import write_whole

from speechzoo_arena.judge_findings import JudgeReport, Measured, MetaEvaluation
from speechzoo_arena.judge_page import render
from speechzoo_arena.judge_tables import print_judge_report
from speechzoo_arena.judges import measure_judges
from speechzoo_arena.meta_evaluation import meta_evaluation
from speechzoo_arena.published import published_results
from speechzoo_arena.records import distinct, read_votes

SEED = 0

file_path = click.Path(dir_okay=False, path_type=Path)


@click.command("judge-report")
@click.argument("folders", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--published", is_flag=True, help="The four evaluators of MTalk-Bench, from its printed tables."
)
@click.option("--html", "html_path", type=file_path, help="Write a page there, too.")
@click.option("--json", "json_path", type=file_path, help="Write the findings there, too.")
def command(
    folders: tuple[Path, ...], published: bool, html_path: Path | None, json_path: Path | None
) -> None:
    """How far the judges of an arena can be trusted.

    FOLDERS hold votes.jsonl, of models or people. Told are leaning to who is heard first and to longer
    replies, the same verdict again, and agreement with each other and with people.

    \b
    Examples:
      speechzoo judge-report --published --html judges.html
      speechzoo judge-report runs/arena-gpt runs/arena-votes
    """
    report = judge_report(folders, published)
    print_judge_report(report, Console(highlight=False))
    if html_path is not None:
        write_whole(html_path, render(report))
    if json_path is not None:
        write_whole(json_path, report.model_dump_json(indent=1) + "\n")


def judge_report(folders: Sequence[Path], published: bool) -> JudgeReport:
    """The report on the votes of all folders together, on the published evaluators, or both.

    Raises:
        SpeechzooError: neither is asked for, a folder holds no votes, or two judge the same thing.
        StoreError: a line is damaged.
    """
    if not folders and not published:
        raise SpeechzooError("name folders of votes, or ask for --published")
    meta = meta_evaluation(published_results(), seed=SEED) if published else None
    measured = None
    if folders:
        votes = [own for folder in folders for own in read_votes(folder)]
        measured = measure_judges(distinct(votes, ", ".join(map(str, folders))), seed=SEED)
    headline = _measured_headline(measured) if measured else _published_headline(meta) if meta else ""
    return JudgeReport(speechzoo=__version__, headline=headline, published=meta, measured=measured)


def _published_headline(found: MetaEvaluation) -> str:
    told = []
    for protocol in dict.fromkeys(row.protocol for row in found.against_people):
        values = [
            row.spearman.value
            for row in found.against_people
            if row.protocol == protocol and row.dimension == "overall" and row.spearman
        ]
        told.append(f"{min(values):.2f} to {max(values):.2f} in {protocol}")
    return f"Judges rank {len(found.systems)} systems like people with a Spearman of {', '.join(told)}"


def _measured_headline(found: Measured) -> str:
    votes = sum(judge.votes for judge in found.judges)
    failed = sum(sum(judge.failed.values()) for judge in found.judges)
    judges = ", ".join(judge.judge for judge in found.judges)
    without = f", {failed} without a verdict" if failed else ""
    return f"{votes} votes by {judges}{without}"
