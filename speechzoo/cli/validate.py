"""speechzoo validate TASK"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from speechzoo.catalogue import open_catalogue
from speechzoo.cli.options import registry_option
from speechzoo.cli.progress import progress_display
from speechzoo.run.files import write_whole
from speechzoo.run.signature import parse_settings
from speechzoo.run.validate import ClipFacts, Finding, Validation, validate

SHOWN_OF_A_KIND = 5
ITEMS_NAMED = 4
EXIT_PROBLEMS = 1


@click.command("validate")
@click.argument("task")
@click.option("--data", metavar="DIR", help="Other data for the task: a folder, or HUB_ID@COMMIT.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="A parameter of the task. Repeat."
)
@click.option("--decode", is_flag=True, help="Decode every clip from end to end, and find silent ones.")
@click.option(
    "--json",
    "json_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write everything that was found there.",
)
@registry_option
def command(
    task: str,
    data: str | None,
    settings: tuple[str, ...],
    decode: bool,
    json_path: Path | None,
    registries: tuple[Path, ...],
) -> None:
    """Looks through a task's data without a model, and says everything that is wrong with them.

    \b
    Examples:
      speechzoo validate s2sbench-mini --decode
      speechzoo validate s2sbench-mini --data my-stories --json found.json

    \b
    Exit codes: 0 no problem (remarks do not count), 1 problems, 2 usage, 3 plugin or machine.
    """
    component = open_catalogue(registries).task(task, parse_settings(settings), data)
    with progress_display() as progress:
        found = validate(component, decode=decode, progress=progress)
    for line in _lines(found):
        click.echo(line)
    if json_path is not None:
        write_whole(json_path, found.model_dump_json(indent=1) + "\n")
    if found.problems:
        raise SystemExit(EXIT_PROBLEMS)


def _lines(found: Validation) -> Iterator[str]:
    parts = ", ".join(f"{count} {subset}" for subset, count in found.subsets.items())
    yield f"{found.task}: {found.items} items{f' ({parts})' if parts else ''}"
    if found.conditions:
        yield f"conditions: {', '.join(found.conditions)}"
    if found.clips is not None:
        yield from _clip_lines(found.clips)
    yield from _section("remarks", found.remarks)
    yield from _section("problems", found.problems)
    if not found.decoded:
        yield "clips were not decoded; --decode finds damage inside them, and silence"


def _clip_lines(clips: ClipFacts) -> Iterator[str]:
    yield (
        f"clips: {clips.count}, {clips.total / 60:.1f} min in all; "
        f"seconds: {clips.shortest:.1f} to {clips.longest:.1f}, median {clips.median:.1f}"
    )
    rates = ", ".join(f"{count} at {rate} Hz" for rate, count in clips.rates.items())
    channels = ", ".join(
        f"{count} with {number} channel{'s' if number > 1 else ''}"
        for number, count in clips.channels.items()
    )
    yield f"       {rates}; {channels}"


def _section(title: str, findings: Sequence[Finding]) -> Iterator[str]:
    yield f"{title}: {len(findings) or 'none'}"
    for kind in dict.fromkeys(finding.kind for finding in findings):
        own = [finding for finding in findings if finding.kind == kind]
        yield f"  {_printable(kind)} ({len(own)})"
        for finding in own[:SHOWN_OF_A_KIND]:
            yield from (f"    {_printable(line)}" for line in _told(finding).splitlines())
        if len(own) > SHOWN_OF_A_KIND:
            yield f"    ... and {len(own) - SHOWN_OF_A_KIND} more"


def _told(finding: Finding) -> str:
    names = ", ".join(finding.items[:ITEMS_NAMED])
    if len(finding.items) > ITEMS_NAMED:
        names += f" and {len(finding.items) - ITEMS_NAMED} more"
    conditions = f" ({', '.join(finding.conditions)})" if finding.conditions else ""
    return f"{names}{conditions}: {finding.detail}" if names else finding.detail


def _printable(line: str) -> str:
    """Without control characters, by which data could write anywhere on a terminal."""
    return "".join(character if character.isprintable() else "\ufffd" for character in line)
