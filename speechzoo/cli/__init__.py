"""The command line. Each subcommand is a module of its own, imported when it is called."""

import logging
import sys
import traceback
from importlib import import_module
from typing import Any

import click

from speechzoo import __version__
from speechzoo.errors import EXIT_ENVIRONMENT, EXIT_INTERRUPTED, SpeechzooError

COMMANDS = {
    "eval": "run a model on a task and report what speech costs it",
    "report": "make the reports of a run again",
    "verify": "ask a sample of a run again in other batches, order, workers, and say what changes",
    "merge": "put the shards of a run together",
    "compare": "set runs of several models side by side, with paired tests",
    "list": "models, tasks and services: what is installed, fetched, missing",
    "show": "everything about one model, task, service or data set",
    "check": "whether a model, task or plugin keeps its promises",
    "fetch": "download the files of models, services and data",
    "env": "make the environments of models whose packages clash with those of others",
    "pin": "look up the commit of an entry's files on the hub and write it down",
    "validate": "look through the data of a task: what is missing, broken or doubled",
    "plugins": "installed plugins, and what is wrong with those that are broken",
}


class LazyGroup(click.Group):
    """Knows its commands by name; ``--help`` imports none of them, nor any plugin."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            command: click.Command = import_module(f"speechzoo.cli.{cmd_name}").command
            return command
        command_of_plugin = _plugin_command(cmd_name)
        if command_of_plugin is None and not ctx.resilient_parsing:
            ctx.fail(f"there is no command {cmd_name!r}; there are: {', '.join(COMMANDS)}")
        return command_of_plugin

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SpeechzooError as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(error.exit_code)
        except KeyboardInterrupt:
            sys.exit(EXIT_INTERRUPTED)
        except (click.ClickException, click.Abort, click.exceptions.Exit, BrokenPipeError):
            raise
        # Python would exit with 1, which says that a run ended with too many invalid items.
        except Exception:
            click.echo(traceback.format_exc(), err=True, nl=False)
            click.echo("internal error: please report it; the run's folder is intact", err=True)
            sys.exit(EXIT_ENVIRONMENT)


def _plugin_command(name: str) -> click.Command | None:
    from speechzoo.plugins import discover
    from speechzoo.recipe import import_target

    spec = discover().named("command").get(name)
    if spec is None:
        return None
    command: click.Command = import_target(spec.target)
    return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="speechzoo")
def main() -> None:
    """Measures what a language model loses when it listens and speaks.

    \b
    Start here, offline, on real models and real speech:
      speechzoo fetch cascade
      speechzoo eval --model cascade --task s2sbench-mini
    """
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
