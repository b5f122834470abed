"""The folder of a spoken data set: audio by content, items, and a manifest once all is there."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from speechzoo import AudioClip, SetupError, SpeechzooError
from speechzoo.errors import StoreError
from speechzoo.run.files import write_whole
from speechzoo.specs import JsonObject
from speechzoo.weights import verify_files

FORMAT = "speechzoo-spoken-items"
VERSION = 1
ITEMS = "items.jsonl"
MANIFEST = "manifest.json"
DECIDING = ("source", "settings", "voices")
FLAC = b"fLaC"


class Folder:
    """Where a data set is made, or lies.

    Raises:
        StoreError: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            (path / "audio").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error.strerror}") from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """While it is written.

        Raises:
            StoreError: somebody else writes it.
        """
        try:
            with FileLock(self.path / "lock", timeout=0):
                yield
        except Timeout as error:
            raise StoreError(f"{self.path} is in use by another process") from error

    def finished(self, about: Mapping[str, Any], say: Callable[[str], None]) -> JsonObject | None:
        """The manifest, if the data set is finished and whole; None if there is something to do.

        Raises:
            SpeechzooError: the folder holds another data set.
        """
        manifest = self._manifest()
        if manifest is None:
            return None
        differing = [key for key in DECIDING if manifest.get(key) != about[key]]
        if manifest.get("format") != FORMAT or differing:
            raise SpeechzooError(
                f"{self.path} holds another data set ({', '.join(differing)} differ); name another --out. "
                "What was spoken for it is kept and need not be spoken again"
            )
        try:
            verify_files(self.path, manifest["files"])
        except SetupError as error:
            say(f"{error}; it is made again")
            return None
        return manifest

    def _manifest(self) -> JsonObject | None:
        file = self.path / MANIFEST
        try:
            manifest = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise StoreError(f"{file} cannot be read: {error}") from error
        return manifest if isinstance(manifest, dict) else {}

    def add(self, clip: AudioClip) -> AudioClip:
        """Keeps a clip as FLAC at its own rate, under the SHA-256 of the file; the same clip on disk."""
        content = clip.encoded()
        if not content.startswith(FLAC):
            content = AudioClip.from_samples(clip.samples(), clip.header.rate).encoded()
        file = self.path / "audio" / f"{hashlib.sha256(content).hexdigest()}.flac"
        if not file.exists() or file.read_bytes() != content:
            write_whole(file, content)
        return AudioClip.from_file(file, clip.transcript, clip.language)

    def finish(self, rows: Sequence[JsonObject], about: Mapping[str, Any]) -> JsonObject:
        """Writes the items and, last of all, the manifest; returns it."""
        items = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
        audio = {row["audio"] for row in rows}
        hashes = {name: Path(name).stem for name in sorted(audio)}
        files = {ITEMS: hashlib.sha256(items).hexdigest(), **hashes}
        manifest = {"format": FORMAT, "version": VERSION, **about, "files": files}
        write_whole(self.path / ITEMS, items)
        write_whole(self.path / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")
        return manifest
