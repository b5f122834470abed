"""speechzoo plugins"""

import click

from speechzoo.cli import COMMANDS
from speechzoo.errors import EXIT_ENVIRONMENT
from speechzoo.plugins import Plugin, discover


@click.command("plugins")
@click.option("--strict", is_flag=True, help="Exit with code 3 if any plugin is broken or in conflict.")
def command(strict: bool) -> None:
    """Installed plugins and what each brings; for a broken one, why, with its traceback."""
    found = discover()
    for plugin in found.plugins:
        _show(plugin)
    if not found.plugins:
        click.echo("no plugins are installed (entry point group: speechzoo)")
    for (kind, name), packages in found.conflicts.items():
        click.echo(f"conflict: {kind} {name!r} is brought by {' and '.join(packages)}; none of them is used")
    hidden = [spec for name, spec in found.named("command").items() if name in COMMANDS]
    for spec in hidden:
        brought = found.owner(spec).distribution
        click.echo(f"conflict: command {spec.name!r} is speechzoo's own; the one of {brought} is not used")
    if strict and (found.quarantined() or found.conflicts or hidden):
        raise SystemExit(EXIT_ENVIRONMENT)


def _show(plugin: Plugin) -> None:
    click.echo(f"{plugin.name} ({plugin.distribution})" + (": broken" if plugin.problem else ""))
    if plugin.problem:
        click.echo(f"  {plugin.problem}")
        for line in plugin.traceback.rstrip().splitlines():
            click.echo(f"  | {line}")
    for spec in plugin.specs:
        kind = type(spec).__name__.removesuffix("Spec").lower()
        click.echo(f"  {kind:<8} {spec.name:<16} {spec.summary}")
    if plugin.registry is not None:
        click.echo(f"  registry {plugin.registry}")
