"""speechzoo check NAME"""

from collections import Counter
from pathlib import Path

import click

from speechzoo.catalogue import open_catalogue
from speechzoo.cli.load_options import load_options
from speechzoo.cli.options import registry_option
from speechzoo.run.signature import parse_settings
from speechzoo.setup import LoadOptions
from speechzoo.testing import Finding, everything, examine

EXIT_FAILED = 1
COLOURS = {"passed": "green", "failed": "red", "not applicable": "bright_black"}


@click.command("check")
@click.argument("name")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="A parameter or part, see 'show'. Repeat."
)
@click.option("--data", metavar="DIR", help="Other data for a task: a folder laid out like its own.")
@load_options
@click.option(
    "--dtype",
    type=click.Choice(("float32", "float16", "bfloat16")),
    default="float32",
    show_default=True,
    help="Of a model; scores are compared more loosely in the shorter ones.",
)
@registry_option
def command(
    name: str,
    settings: tuple[str, ...],
    data: str | None,
    device: str,
    attention: str,
    device_map: str | None,
    trust_remote_code: bool,
    dtype: str,
    registries: tuple[Path, ...],
) -> None:
    """Whether a model, task or plugin keeps its promises: one line a check, exit code 1 if any fails.

    A model is loaded several times and asked some two hundred short things: take a small one where you can.

    \b
    Examples:
      speechzoo check cascade
      speechzoo check text-llm@FOLDER
      speechzoo check s2sbench-mini
    """
    outcomes: Counter[str] = Counter()
    catalogue = open_catalogue(registries)
    options = LoadOptions(
        device=device,
        dtype=dtype,
        attention=attention,
        device_map=device_map or "",
        trust_remote_code=trust_remote_code,
    )
    for examination in everything(catalogue, name, parse_settings(settings), data, options):
        click.echo(examination.title)
        for finding in examine(examination.subject, examination.checks):
            _show(finding)
            outcomes[finding.outcome] += 1
    click.echo(", ".join(f"{outcomes[outcome]} {outcome}" for outcome in COLOURS))
    if outcomes["failed"]:
        raise SystemExit(EXIT_FAILED)


def _show(finding: Finding) -> None:
    outcome = click.style(f"{finding.outcome:<15}", fg=COLOURS[finding.outcome])
    click.echo(f"  {outcome} {finding.check}{f': {finding.why}' if finding.why else ''}")
