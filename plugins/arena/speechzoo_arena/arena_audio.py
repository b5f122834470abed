"""The clips that an arena's page carries: each once, up to a limit, disputed battles first."""

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

from speechzoo import AudioClip, ItemError
from speechzoo.audio import to_flac
from speechzoo.report.audio_store import MAX_BYTES, RATE

from speechzoo_arena.arena_findings import ArenaReport, ShownDialogue


def embedded(report: ArenaReport, folder: Path, limit: int = MAX_BYTES) -> dict[str, object]:
    """Clips for the page: ``files`` maps each path to an index in ``clips`` or to why there is none.

    Args:
        report: whose clips.
        folder: the arena's, which paths are relative to.
        limit: bytes of audio in all; once it is reached no further clip is read.
    """
    files: dict[str, int | str] = {}
    clips: list[str] = []
    places: dict[str, int] = {}
    left = limit
    for path in dict.fromkeys(_paths(report)):
        if left <= 0:
            files[path] = f"audio not embedded: {path}"
            continue
        try:
            clip = AudioClip.from_file(folder / path)
            if clip.digest not in places:
                data = to_flac(clip, RATE)
                left -= len(data)
                if left < 0:
                    files[path] = f"audio not embedded: {path}"
                    continue
                places[clip.digest] = len(clips)
                clips.append(f"data:audio/flac;base64,{b64encode(data).decode()}")
            files[path] = places[clip.digest]
        except ItemError as error:
            files[path] = f"audio cannot be read: {error.detail}"
    return {"files": files, "clips": clips}


def _paths(report: ArenaReport) -> Iterator[str]:
    for meeting in sorted(report.meetings, key=lambda own: not own.disagree):
        yield from _paths_of(report.dialogues[meeting.dialogue], (meeting.one, meeting.two))


def _paths_of(dialogue: ShownDialogue, systems: tuple[str, str]) -> Iterator[str]:
    for turn in dialogue.turns:
        yield turn.clip
    for system in systems:
        for reply in dialogue.replies.get(system, ()):
            if reply.clip is not None:
                yield reply.clip
