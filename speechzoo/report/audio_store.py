"""The clips that a page carries: each once, up to a limit."""

from base64 import b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path

from speechzoo.audio import AudioClip, to_flac
from speechzoo.errors import ItemError
from speechzoo.gap.findings import Report

MAX_BYTES = 24_000_000
# Enough for speech. A lossy encoder would make the page a fifth of the size, and take minutes over it.
RATE = 16_000


def embedded(paths: Iterable[str], folder: Path, limit: int = MAX_BYTES) -> dict[str, object]:
    """Clips for a page: ``files`` maps each path to an index in ``clips`` or to why there is none.

    Args:
        paths: of the clips, those first that a reader would miss most: once the limit is reached no further
            clip is read.
        folder: which relative paths are relative to.
        limit: bytes of audio in all.
    """
    files: dict[str, int | str] = {}
    clips: list[str] = []
    places: dict[str, int] = {}
    left = limit
    for path in dict.fromkeys(paths):
        if left <= 0:
            files[path] = f"audio not embedded: {path}"
            continue
        try:
            clip = _clip(path, folder)
            if clip.digest not in places:
                kind, data = _playable(clip)
                left -= len(data)
                if left < 0:
                    files[path] = f"audio not embedded: {path}"
                    continue
                places[clip.digest] = len(clips)
                clips.append(f"data:audio/{kind};base64,{b64encode(data).decode()}")
            files[path] = places[clip.digest]
        except ItemError as error:
            files[path] = f"audio cannot be read: {error.detail}"
    return {"files": files, "clips": clips}


def paths_of(report: Report) -> Iterator[str]:
    """Of every clip in a report, those of the items with the largest gaps first."""
    for row in sorted(report.items, key=lambda row: -abs(row.gap or 0.0)):
        for ask in row.asks.values():
            yield from ask.clips
        for cell in row.cells.values():
            yield from cell.clips


def _playable(clip: AudioClip) -> tuple[str, bytes]:
    """The clip for a browser: as it is if it is small already, and its media type."""
    encoded = clip.encoded()
    return ("ogg", encoded) if encoded[:4] == b"OggS" else ("flac", to_flac(clip, RATE))


def _clip(path: str, folder: Path) -> AudioClip:
    return AudioClip.from_file(folder / path)
