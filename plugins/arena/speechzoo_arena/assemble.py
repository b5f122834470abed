"""From runs and names to an arena that can be played: judge, task and recogniser loaded, its folder open."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import cast

from speechzoo import Judge, SpeechzooError, Task, Transcriber, __version__
from speechzoo.catalogue import Catalogue
from speechzoo.loading import Component, load
from speechzoo.run.files import write_whole
from speechzoo.run.progress import Progress
from speechzoo.run.signature import parse_settings, write_settings
from speechzoo.run.store import to_line
from speechzoo.services import is_checked
from speechzoo.setup import LoadOptions
from speechzoo.specs import JsonObject

from speechzoo_arena.arena_file import (
    ArenaFile,
    JudgeInfo,
    Options,
    SystemInfo,
    is_arena,
    locked,
    open_arena,
    with_fingerprint,
)
from speechzoo_arena.arena_report import DIALOGUES
from speechzoo_arena.contest import Contest, System, load_task, require_version
from speechzoo_arena.entries import KeptTranscriber, make_entries, record_of
from speechzoo_arena.material import Listener
from speechzoo_arena.play import Table, play

JUDGE, TRANSCRIBER = "judge", "transcriber"


@dataclass(frozen=True)
class Wanted:
    """What a user wants to have played.

    Attributes:
        judge: its name.
        transcriber: its name; None for the task's, where the judge reads.
        settings: as typed, each beginning with ``judge.`` or ``transcriber.``.
        data: where the task's data lie; None for the registered ones.
        options: what decides verdicts.
        loading: where and how the judge is computed.
        battles: a ceiling.
        repeats: how many verdicts are asked for once more.
        max_cost: in US dollars.
        out: the folder; None makes one under ``runs/``.
    """

    judge: str
    transcriber: str | None = None
    settings: Sequence[str] = ()
    data: str | None = None
    options: Options = field(default_factory=Options)
    loading: LoadOptions = field(default_factory=LoadOptions)
    battles: int | None = None
    repeats: int = 0
    max_cost: float | None = None
    out: Path | None = None


def play_contest(contest: Contest, wanted: Wanted, catalogue: Catalogue, progress: Progress) -> Path:
    """Plays, or takes up again, what is wanted; returns the arena's folder.

    Raises:
        SpeechzooError: a name or a setting is unknown, the runs do not fit what is installed, or the judge
            says that it cannot judge.
        StoreError: the folder holds another arena, or is in use.
    """
    settings = _divided(wanted.settings)
    about_judge = catalogue.service(wanted.judge, settings[JUDGE])
    _refuse_another_sort(about_judge, JUDGE)
    about_task = load_task(contest, catalogue, wanted.data, wanted.loading)
    # Of a task nothing but its parts is computed, and those that are needed here are told their own dtype.
    task = cast(Task, load(about_task, replace(wanted.loading, dtype="float32")))
    require_version(contest, task)
    judge = cast(Judge, load(about_judge, wanted.loading))
    try:
        ears = _ears(catalogue, wanted, about_task, settings[TRANSCRIBER], contest, judge)
        arena = _describe(contest, wanted, about_judge, judge, ears)
        folder = wanted.out or Path("runs") / _folder_name(arena)
        if is_checked(judge) and not is_arena(folder):
            judge.check()  # before anybody listens to hours of replies
        with locked(folder):
            arena = open_arena(folder, _with_folders(arena, contest, folder))
            listener = _listener(ears, folder, wanted.loading)
            entries = make_entries(contest, task, listener, wanted.options.cues, progress)
            lines = b"".join(to_line(record_of(entry, folder)) for entry in entries)
            write_whole(folder / DIALOGUES, lines)
            by_dialogue = {entry.item.id: entry for entry in entries}
            table = Table(folder, arena, judge, by_dialogue, wanted.max_cost)
            play(table, wanted.battles, wanted.repeats, progress)
    finally:
        judge.close()
    return folder


def _divided(texts: Sequence[str]) -> dict[str, dict[str, str]]:
    """Settings by what they are about.

    Raises:
        SpeechzooError: one does not say.
    """
    divided: dict[str, dict[str, str]] = {JUDGE: {}, TRANSCRIBER: {}}
    for key, value in parse_settings(texts).items():
        about, _, rest = key.partition(".")
        if about not in divided or not rest:
            raise SpeechzooError(f"--set {key}: say whose it is, {JUDGE}.{key} or {TRANSCRIBER}.{key}")
        divided[about][rest] = value
    return divided


def _refuse_another_sort(component: Component, wanted: str) -> None:
    if component.sort != wanted:
        raise SpeechzooError(f"{component.name} is a {component.sort}, it has to be a {wanted}")


def _ears(
    catalogue: Catalogue,
    wanted: Wanted,
    task: Component,
    settings: Mapping[str, str],
    contest: Contest,
    judge: Judge,
) -> Component | None:
    """Who hears spoken replies for a judge that reads; for one that hears only if somebody is named."""
    if not contest.condition.speech_out or (judge.hears and wanted.transcriber is None):
        return None
    part = task.parts.get(TRANSCRIBER)
    if wanted.transcriber is None and part is None:
        raise SpeechzooError(
            f"{wanted.judge} reads, and {task.name} has nobody to hear the replies: name a --transcriber"
        )
    if wanted.transcriber is None and not settings:
        ears = part
    else:
        ears = catalogue.service(wanted.transcriber or (part.name if part else ""), settings)
    assert ears is not None
    _refuse_another_sort(ears, TRANSCRIBER)
    return ears


def _listener(ears: Component | None, folder: Path, loading: LoadOptions) -> Listener | None:
    if ears is None:
        return None

    @cache
    def loaded() -> Transcriber:
        return cast(Transcriber, load(ears, replace(loading, dtype="float32")))

    kept = KeptTranscriber(folder, loaded)
    return Listener(lambda: kept)


def _describe(
    contest: Contest, wanted: Wanted, about: Component, judge: Judge, ears: Component | None
) -> ArenaFile:
    run = contest.first.run
    arena = ArenaFile(
        speechzoo=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        fingerprint="",
        task={
            **{key: str(run.task.identity[key]) for key in ("name", "adapter", "revision")},
            "version": run.task.version,
        },
        condition=contest.condition,
        licence=run.task.licence,
        citation=run.task.citation,
        systems=tuple(_system(system) for system in contest.systems),
        judge=JudgeInfo(
            name=_judge_name(about),
            identity={
                **about.identity(),
                "dtype": wanted.loading.dtype,
                "attention": wanted.loading.attention,
                "device": wanted.loading.device.partition(":")[0],
            },
            hears=judge.hears,
            longest_seconds=judge.longest_seconds,
            parts=tuple(part.name for part in about.whole()),
        ),
        transcriber=ears.identity() if ears else None,
        options=wanted.options,
        published=run.task.published,
        notes=contest.notes,
    )
    return with_fingerprint(arena)


def _judge_name(about: Component) -> str:
    """With the settings that make it another than its name alone stands for."""
    return f"{about.name} ({write_settings(about.changed)})" if about.changed else about.name


def _system(system: System) -> SystemInfo:
    info = system.results.run.systems["model"]
    return SystemInfo(
        name=system.name,
        folder="",
        signature=system.results.run.signature,
        summary=info.summary,
        licence=info.licence,
        replies=system.digest,
        parts=tuple(_parts(info.identity)),
    )


def _parts(identity: JsonObject) -> list[str]:
    return [identity["name"], *(name for part in identity["parts"].values() for name in _parts(part))]


def _with_folders(arena: ArenaFile, contest: Contest, folder: Path) -> ArenaFile:
    """Paths relative to the arena's folder, so that it can be moved together with the runs."""
    systems = [
        own.model_copy(update={"folder": os.path.relpath(system.results.folder, folder)})
        for own, system in zip(arena.systems, contest.systems, strict=True)
    ]
    return arena.model_copy(update={"systems": tuple(systems)})


def _folder_name(arena: ArenaFile) -> str:
    name = f"arena--{arena.task['name']}--{arena.judge.identity['name']}--{arena.fingerprint[:8]}"
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in name)
