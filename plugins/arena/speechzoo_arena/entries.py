"""What each system brings into the arena: its side of every dialogue, ready to be judged and to be shown."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from speechzoo import AudioClip, Failure, Item, ItemError, Task, Transcriber
from speechzoo.run.describe import digest
from speechzoo.run.execute import isolating
from speechzoo.run.progress import Progress
from speechzoo.run.records import clip_file_name, keep_clip
from speechzoo.run.store import AppendFile, read_lines
from speechzoo.run.wire import writable

from speechzoo_arena.contest import Contest, as_dialogue
from speechzoo_arena.material import Cues, Exchange, Listener, exchanges_of

AUDIO = "audio"
HEARD = "heard.jsonl"
CLIPS_A_CALL = 8


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HeardRecord(_Record):
    """A line of heard.jsonl: what the arena's recogniser hears in a reply, by the clip's SHA-256."""

    clip: str
    text: str


class ShownReply(_Record):
    """A reply as the report shows it; with neither text nor clip there was none."""

    text: str | None
    clip: str | None


class ShownTurn(_Record):
    """A turn of the user as the report shows it."""

    text: str
    clip: str


class DialogueRecord(_Record):
    """A line of dialogues.jsonl: what was there to be judged. Paths are relative to the arena's folder.

    Attributes:
        id: of the item.
        group: the item's subset; "" where there are none.
        cluster: dialogues of one cluster are dependent.
        turns: of the user.
        replies: by system, a reply for each turn.
        absent: systems that gave no answer, and why.
        unusable: systems whose answer cannot be judged, and why; the file is named.
        digests: of all replies of each system (`Side.digest`).
    """

    id: str
    group: str = ""
    cluster: str
    turns: tuple[ShownTurn, ...] = ()
    replies: dict[str, tuple[ShownReply, ...]] = {}
    absent: dict[str, str] = {}
    unusable: dict[str, str] = {}
    digests: dict[str, str] = {}


@dataclass(frozen=True)
class Side:
    """A system's side of a dialogue.

    Attributes:
        exchanges: the turns.
        seconds: of all spoken replies; None if one is not spoken.
        words: of all replies; None if nobody knows what one says.
        digest: of all replies: their clips, and the text of those that are not spoken.
    """

    exchanges: tuple[Exchange, ...]
    seconds: float | None
    words: int | None
    digest: str


@dataclass
class Entry:
    """An item, and who can be judged on it.

    Attributes:
        item: as a dialogue.
        sides: of the systems that can be judged.
        absent: systems without an answer, and why.
        unusable: systems whose answer cannot be judged, and why.
    """

    item: Item
    sides: dict[str, Side] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    unusable: dict[str, str] = field(default_factory=dict)

    @property
    def systems(self) -> list[str]:
        """Those with an answer."""
        return sorted([*self.sides, *self.unusable])

    @property
    def group(self) -> str:
        return str(self.item.attributes.get("subset", ""))

    @property
    def cluster(self) -> str:
        return self.item.cluster or self.item.id


class KeptTranscriber:
    """A recogniser whose transcripts are on disk: what it has heard it is not asked again.

    Args:
        folder: the arena's.
        transcriber: makes the recogniser when a clip is new.
    """

    def __init__(self, folder: Path, transcriber: Callable[[], Transcriber]) -> None:
        self._path = folder / HEARD
        self._transcriber = transcriber
        self._there = {record.clip: record.text for record in read_lines(self._path, HeardRecord)}

    def transcribe(self, clips: Sequence[AudioClip]) -> list[str | Failure]:
        new = list({clip.digest: clip for clip in clips if clip.digest not in self._there}.values())
        failures: dict[str, Failure] = {}
        if new:
            file = AppendFile(self._path)
            try:
                for start in range(0, len(new), CLIPS_A_CALL):
                    failures |= self._hear(new[start : start + CLIPS_A_CALL], file)
            finally:
                file.close()
        return [failures.get(clip.digest) or self._there[clip.digest] for clip in clips]

    def _hear(self, clips: list[AudioClip], file: AppendFile) -> dict[str, Failure]:
        """Keeps what is heard; what failed may be heard by a later call."""
        told = isolating(self._transcriber().transcribe, clips)
        heard = {
            clip.digest: writable(text)
            for clip, text in zip(clips, told, strict=True)
            if isinstance(text, str)
        }
        file.append([HeardRecord(clip=clip, text=text) for clip, text in heard.items()])
        self._there |= heard
        return {
            clip.digest: text for clip, text in zip(clips, told, strict=True) if isinstance(text, Failure)
        }

    def close(self) -> None:
        """There is nothing to end."""


def make_entries(
    contest: Contest, task: Task, listener: Listener | None, cues: Cues, progress: Progress
) -> list[Entry]:
    """An entry for each item that a run has, in the task's order.

    Args:
        contest: who answered what.
        task: whose items they are.
        listener: says what is said in spoken replies; None where the judge hears, and nobody asked.
        cues: which judges are told the transcription's bracketed cues.
        progress: is told how far it is.
    """
    asked = {item for system in contest.systems for item in system.answers}
    items = [item for item in task.items() if item.id in asked]
    progress.stage("reading replies", len(items), 0)
    entries = []
    for item in items:
        entries.append(_entry(contest, task, item, listener, cues))
        progress.advance(1)
    return entries


def _entry(contest: Contest, task: Task, item: Item, listener: Listener | None, cues: Cues) -> Entry:
    entry = Entry(item)
    for system in contest.systems:
        answer = system.answers.get(item.id)
        if answer is None:
            entry.absent[system.name] = "not_asked"
        elif isinstance(answer, Failure):
            entry.absent[system.name] = answer.reason
        else:
            try:
                entry.item, dialogue = as_dialogue(task, entry.item, contest.condition, answer)
                side = side_of(exchanges_of(entry.item, dialogue, listener, cues), listener is not None)
            except ItemError as error:
                entry.unusable[system.name] = f"{error.reason}: {error.detail}"
                continue
            if any(own.answered for own in side.exchanges):
                entry.sides[system.name] = side
            else:
                entry.absent[system.name] = "no_reply"
    return entry


def side_of(exchanges: tuple[Exchange, ...], transcribed: bool) -> Side:
    """A system's side, of its turns.

    Where nobody transcribed a spoken reply, nobody knows its words: the system's own text need not be what it
    said.

    Raises:
        ItemError: a spoken reply cannot be read.
    """
    answered = [own for own in exchanges if own.answered]
    spoken = [own.reply.seconds for own in answered if own.reply is not None]
    known = [own for own in answered if transcribed or own.reply is None]
    texts = [own.reply_text for own in known if own.reply_text is not None]
    return Side(
        exchanges,
        seconds=sum(spoken) if len(spoken) == len(answered) else None,
        words=sum(len(text.split()) for text in texts) if len(texts) == len(answered) else None,
        # Not what a recogniser hears in a clip: whoever listens rests on the same reply.
        digest=digest(
            [
                [own.reply.digest if own.reply else None, own.reply_text if not own.reply else None]
                for own in exchanges
            ]
        )[:32],
    )


def record_of(entry: Entry, folder: Path) -> DialogueRecord:
    """The entry as data; clips from memory are kept in the arena's folder."""
    return DialogueRecord(
        id=entry.item.id,
        group=entry.group,
        cluster=entry.cluster,
        turns=tuple(
            ShownTurn(text=writable(text), clip=_path(clip, folder))
            for text, clip in zip(
                entry.item.data.get("transcriptions", ()), entry.item.data.get("turns", ()), strict=True
            )
        ),
        replies={name: _shown(side, folder) for name, side in entry.sides.items()},
        absent=entry.absent,
        unusable=entry.unusable,
        digests={name: side.digest for name, side in entry.sides.items()},
    )


def _shown(side: Side, folder: Path) -> tuple[ShownReply, ...]:
    return tuple(
        ShownReply(
            text=None if own.reply_text is None else writable(own.reply_text),
            clip=_path(own.reply, folder) if own.reply is not None else None,
        )
        for own in side.exchanges
    )


def _path(clip: AudioClip, folder: Path) -> str:
    """Relative to the arena's folder, so that arena and runs can be moved together."""
    if isinstance(clip.data, Path):
        return os.path.relpath(clip.data, folder)
    (folder / AUDIO).mkdir(exist_ok=True)
    keep_clip(clip, folder / AUDIO)
    return f"{AUDIO}/{clip_file_name(clip)}"


def met(entries: Sequence[Entry]) -> Mapping[str, Sequence[str]]:
    """Who can meet on which dialogue: at least two answered it."""
    return {entry.item.id: entry.systems for entry in entries if len(entry.systems) > 1}
