"""What an arena's folder is: arena.json, and that nobody else writes into it.

``arena.json``         systems, judge and options (`ArenaFile`)
``dialogues.jsonl``    what was there to be judged (`entries.DialogueRecord`)
``heard.jsonl``        transcripts of replies, for judges that read (`entries.HeardRecord`)
``judgements.jsonl``   what the judge said, to the letter (`speechzoo.run.records.JudgementRecord`)
``votes.jsonl``        its verdicts (`records.Vote`), and people's, if they are collected there
``figures.json``       the report as data, ``arena.html`` as a page
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, ValidationError
from speechzoo import Condition
from speechzoo.errors import StoreError
from speechzoo.registry import Published
from speechzoo.run.describe import digest
from speechzoo.run.files import write_whole

from speechzoo_arena.material import Cues

NAME = "arena.json"
SCHEMA_VERSION = 1

Orders = Literal["both", "one"]
Pairing = Literal["plan", "active", "reference"]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SystemInfo(_Record):
    """A system in an arena.

    Attributes:
        name: in votes and tables.
        folder: of its run, relative to the arena's.
        signature: of its run.
        summary: one line.
        licence: of its weights.
        replies: digest of all its replies.
        parts: names of the model and of what it is made of.
    """

    name: str
    folder: str
    signature: str
    summary: str
    licence: str
    replies: str
    parts: tuple[str, ...]


class JudgeInfo(_Record):
    """The judge of an arena.

    Attributes:
        name: in votes and tables, with the settings that are not its usual ones.
        identity: everything about it that can change a verdict.
        hears: clips; another reads transcripts.
        longest_seconds: of all clips of one battle; None for no limit.
        parts: names of the service and of what it is made of.
    """

    name: str
    identity: dict[str, Any]
    hears: bool
    longest_seconds: float | None
    parts: tuple[str, ...]


class Options(_Record):
    """What decides verdicts besides systems and judge.

    Attributes:
        orders: each pair is judged in both orders, or in one that is drawn.
        pairing: how pairs are chosen.
        ties: whether the judge may say that neither is better.
        cues: which judges are told the transcription's bracketed cues.
        seed: of every choice.
    """

    orders: Orders = "both"
    pairing: Pairing = "plan"
    ties: bool = True
    cues: Cues = "text"
    seed: int = 0


class Planned(_Record):
    """What was to be judged when the arena was last played.

    Attributes:
        battles: a pair on a dialogue being one.
        repeats: verdicts asked for once more, as far as there are so many.
    """

    battles: int
    repeats: int


class ArenaFile(_Record):
    """arena.json.

    Attributes:
        task: name, adapter, version and data revision of what was answered.
        condition: of the answers.
        transcriber: identity of the recogniser that listened to replies; None if nobody did.
        published: of the task's data set.
        notes: what a reader must know.
        planned: battles; None where nothing was put to the judge yet.
    """

    schema_version: int = SCHEMA_VERSION
    speechzoo: str
    created: str
    fingerprint: str
    task: dict[str, str]
    condition: Condition
    licence: str
    citation: str
    systems: tuple[SystemInfo, ...]
    judge: JudgeInfo
    transcriber: dict[str, Any] | None
    options: Options
    published: tuple[Published, ...] = ()
    notes: tuple[str, ...] = ()
    planned: Planned | None = None


def decides(arena: ArenaFile) -> dict[str, Any]:
    """All that makes this arena another one if it changes."""
    return {
        "systems": {system.name: system.replies for system in arena.systems},
        "judge": arena.judge.identity,
        "transcriber": arena.transcriber,
        "options": arena.options.model_dump(),
        "task": arena.task,
        "condition": str(arena.condition),
    }


def with_fingerprint(arena: ArenaFile) -> ArenaFile:
    return arena.model_copy(update={"fingerprint": digest(decides(arena))[:16]})


def is_arena(folder: Path) -> bool:
    return (folder / NAME).exists()


def read_arena(folder: Path) -> ArenaFile:
    """The arena.json of a folder.

    Raises:
        StoreError: there is none, or it is not one of ours.
    """
    path = folder / NAME
    try:
        arena = ArenaFile.model_validate_json(path.read_bytes())
    except OSError as error:
        raise StoreError(f"{folder} is no arena: {NAME}: {error.strerror}") from error
    except ValidationError as error:
        raise StoreError(f"{path} cannot be read by this version of speechzoo-arena:\n{error}") from error
    if arena.schema_version != SCHEMA_VERSION:
        raise StoreError(f"{path} has layout {arena.schema_version}, this version reads {SCHEMA_VERSION}")
    return arena


def open_arena(folder: Path, arena: ArenaFile) -> ArenaFile:
    """Writes what the folder is; one that is there already is taken up again.

    Raises:
        StoreError: the folder holds another arena; what differs is named.
    """
    if is_arena(folder):
        before = read_arena(folder)
        if differing := _differences("", decides(before), decides(arena)):
            told = "\n  ".join(differing)
            raise StoreError(f"{folder} holds another arena; choose another --out. What differs:\n  {told}")
        arena = arena.model_copy(update={"created": before.created, "planned": before.planned})
    write_whole(folder / NAME, arena.model_dump_json(indent=1) + "\n")
    return arena


def plan_battles(folder: Path, battles: int, repeats: int) -> None:
    """Keeps what is going to be judged, so that an arena that is stopped on the way can be told."""
    planned = Planned(battles=battles, repeats=repeats)
    arena = read_arena(folder).model_copy(update={"planned": planned})
    write_whole(folder / NAME, arena.model_dump_json(indent=1) + "\n")


def _differences(name: str, old: object, new: object) -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            line
            for key in sorted({*old, *new})
            for line in _differences(f"{name}.{key}".lstrip("."), old.get(key), new.get(key))
        ]
    return [] if old == new else [f"{name}: {old} there, {new} now"]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """The folder, made if need be, with nobody else playing in it.

    Raises:
        StoreError: somebody is, or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "lock")
        lock.acquire(timeout=0)
    except Timeout as error:
        raise StoreError(f"{folder} is in use by another process") from error
    except OSError as error:
        raise StoreError(f"{folder} cannot be written: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()
