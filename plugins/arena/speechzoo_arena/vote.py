"""speechzoo vote"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import click
from click.core import ParameterSource
from speechzoo import SpeechzooError
from speechzoo.catalogue import open_catalogue
from speechzoo.cli.options import registry_option
from speechzoo.cli.progress import progress_display
from speechzoo.loading import load
from speechzoo.setup import LoadOptions

from speechzoo_arena.arena_file import is_arena, locked, read_arena
from speechzoo_arena.contest import load_task, read_contest, require_version
from speechzoo_arena.entries import Entry, make_entries
from speechzoo_arena.vote_ballot import Encoding
from speechzoo_arena.vote_box import BallotBox
from speechzoo_arena.vote_export import export, key_of
from speechzoo_arena.vote_import import checked_name, import_votes
from speechzoo_arena.vote_plan import Plan, everything, make_plan
from speechzoo_arena.vote_server import VoteServer

USUAL_FOLDER = Path("runs/votes")
EVERYBODY = "everybody"
"""Whose plan an exported page has: nobody's own."""

file_path = click.Path(dir_okay=False, path_type=Path)
existing_file = click.Path(exists=True, dir_okay=False, path_type=Path)
ONLY_WITH: dict[str, tuple[str, ...]] = {
    "export_path": ("encoding", "limit"),
    "import_path": ("key",),
}


@click.command("vote")
@click.argument("folders", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--name", metavar="PSEUDONYM", help="Who votes; the same name goes on where it left off.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help=f"Where votes.jsonl goes. Default: the arena's folder, or {USUAL_FOLDER}.",
)
@click.option(
    "--battles", type=click.IntRange(min=1), help="At most so many, a pair on a dialogue being one."
)
@click.option(
    "--again",
    type=click.FloatRange(min=0, max=1),
    default=0.1,
    show_default=True,
    help="The share of battles that come a second time, in the other order.",
)
@click.option(
    "--pairing",
    type=click.Choice(["plan", "active"]),
    default="plan",
    show_default=True,
    help="All pairs equally often, or where people's votes so far leave most in doubt.",
)
@click.option("--free", is_flag=True, help="Allow a choice before everything was played to its end.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
@click.option("--data", metavar="DIR", help="The task's data, if the runs were given --data.")
@click.option(
    "--export", "export_path", type=file_path, metavar="FILE.html", help="A page for people elsewhere."
)
@click.option(
    "--audio",
    "encoding",
    type=click.Choice(["flac", "ogg"]),
    default="flac",
    show_default=True,
    help="Of an exported page: lossless, or Ogg Vorbis: smaller, and Safari plays it since 18.4 only.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    metavar="MB",
    help="Of an exported page; what is more goes into further pages.",
)
@click.option(
    "--import", "import_path", type=existing_file, metavar="VOTES.json", help="Votes that came back."
)
@click.option("--key", type=existing_file, metavar="FILE.key.json", help="Of the page that they came from.")
@registry_option
@click.pass_context
def command(
    context: click.Context,
    folders: tuple[Path, ...],
    name: str | None,
    out: Path | None,
    battles: int | None,
    again: float,
    pairing: str,
    free: bool,
    seed: int,
    data: str | None,
    export_path: Path | None,
    encoding: str,
    limit: int,
    import_path: Path | None,
    key: Path | None,
    registries: tuple[Path, ...],
) -> None:
    """People say whose replies are better: they hear two systems' dialogues and do not know whose they are.

    FOLDERS are finished runs of one task, or one arena. The page is for this machine alone, at the address
    that is printed. Each vote is on disk before the next dialogue is shown; 'judge-report' and 'arena' read
    them.

    \b
    Examples:
      speechzoo vote runs/a runs/b --name anna
      speechzoo vote runs/arena--mtalk-mini--local-judge --name anna --battles 30
      speechzoo vote runs/a runs/b --export listen.html --battles 20
      speechzoo vote --import votes-1f.json --key listen.key.json --out runs/votes
    """
    _refuse_what_means_nothing(context)
    if import_path is not None:
        _import(import_path, key, out, name, folders)
        return
    if not folders:
        raise click.UsageError("name runs of one task, or the folder of an arena")
    wanted = _Wanted(folders, data, registries, battles, again, seed)
    if export_path is not None:
        _export(wanted, export_path, free, cast(Encoding, encoding), limit)
        return
    voter = checked_name(name if name is not None else click.prompt("A pseudonym to vote under"))
    usual = folders[0] if _is_one_arena(folders) else USUAL_FOLDER
    with locked(out or usual):
        _vote(wanted, voter, out or usual, active=pairing == "active", free=free)


@dataclass(frozen=True)
class _Wanted:
    """What is put to voters, as the command line says it."""

    folders: Sequence[Path]
    data: str | None
    registries: tuple[Path, ...]
    battles: int | None
    again: float
    seed: int

    def entries(self) -> list[Entry]:
        """Every item that at least two systems have replies to which can be played; tells of the others.

        Raises:
            SpeechzooError: the runs cannot be held against each other, or there is no such item.
        """
        folders, condition = self.folders, None
        if _is_one_arena(folders):
            arena = read_arena(folders[0])
            folders, condition = [folders[0] / own.folder for own in arena.systems], arena.condition
        contest = read_contest(folders, condition)
        options = LoadOptions()
        task = load(load_task(contest, open_catalogue(self.registries), self.data, options), options)
        require_version(contest, task)
        with progress_display() as progress:
            # People hear, so nobody need say what is said; nor are they told what there is to be heard.
            entries = make_entries(contest, task, None, "none", progress)
        for entry in entries:
            for system, why in entry.unusable.items():
                click.echo(f"left out: {entry.item.id} of {system}: {why}", err=True)
        playable = [entry for entry in entries if len(entry.sides) > 1]
        if not playable:
            raise SpeechzooError("there is no item that two of the runs have replies to")
        return playable

    def plan(self, entries: Sequence[Entry], voter: str, *, active: bool = False) -> Plan:
        can_meet = {entry.item.id: sorted(entry.sides) for entry in entries}
        return make_plan(
            can_meet, voter, battles=self.battles, again=self.again, seed=self.seed, active=active
        )


def _vote(wanted: _Wanted, voter: str, folder: Path, *, active: bool, free: bool) -> None:
    entries = wanted.entries()
    plan = wanted.plan(entries, voter, active=active)
    box = BallotBox(folder, voter, entries, plan, active=active, seed=wanted.seed)
    try:
        with VoteServer(box, free=free) as server:
            click.echo(f"{voter}: {box.done} of {box.total} votes in {folder}")
            click.echo(f"open {server.url} in a browser on this machine; end with Ctrl+C")
            server.serve_forever()
    except KeyboardInterrupt:
        click.echo(f"\n{voter}: {box.done} of {box.total} votes are kept; the same command goes on", err=True)
    finally:
        box.close()


def _export(wanted: _Wanted, path: Path, free: bool, encoding: Encoding, limit: int) -> None:
    entries = wanted.entries()
    meetings = everything(wanted.plan(entries, EVERYBODY))
    written, skipped = export(path, entries, meetings, free=free, encoding=encoding, limit=limit * 1_000_000)
    for told in skipped:
        click.echo(f"left out: {told}", err=True)
    for own in written:
        click.echo(
            f"{own.page}: {own.ballots} ballots, {own.size / 1e6:.1f} MB; keep {key_of(own.page)} to yourself"
        )


def _import(
    votes: Path, key: Path | None, out: Path | None, name: str | None, folders: tuple[Path, ...]
) -> None:
    if key is None or folders:
        raise click.UsageError("--import takes the --key of the page, and no runs")
    folder = out or USUAL_FOLDER
    with locked(folder):
        click.echo(f"{import_votes(votes, key, folder, name)} new votes in {folder}")


def _is_one_arena(folders: Sequence[Path]) -> bool:
    return len(folders) == 1 and is_arena(folders[0])


def _refuse_what_means_nothing(context: click.Context) -> None:
    """An option of another way of voting would be ignored."""
    given = {
        name for name in context.params if context.get_parameter_source(name) is not ParameterSource.DEFAULT
    }
    flags = {option.name: option.opts[0] for option in context.command.params}
    if {"export_path", "import_path"} <= given:
        raise click.UsageError("--export and --import exclude each other")
    for owner, names in ONLY_WITH.items():
        for name in names:
            if name in given and owner not in given:
                raise click.UsageError(f"{flags[name]} is about {flags[owner]}, which is not given")
    elsewhere = {
        "export_path": {"name", "out", "pairing"},
        "import_path": {"battles", "again", "pairing", "free"},
    }
    for owner, unused in elsewhere.items():
        if owner in given and (beside := sorted(flags[name] or "" for name in unused & given)):
            raise click.UsageError(f"{', '.join(beside)} means nothing with {flags[owner]}")
