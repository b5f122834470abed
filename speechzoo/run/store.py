"""A run's folder: append-only files that survive a kill at any instant.

Every line carries a checksum and is synced to disk before it counts. A line that a kill cut short
is dropped when the run is resumed; damage anywhere else stops the run with file and offset.
"""

import json
import os
import re
import socket
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, TypeVar

from filelock import FileLock, Timeout
from pydantic import BaseModel, ValidationError

from speechzoo.errors import StoreError
from speechzoo.run.files import write_whole
from speechzoo.run.records import (
    SCHEMA_VERSION,
    AnswerRecord,
    GradeRecord,
    RunFile,
    RunItem,
    TranscriptRecord,
)

Record = TypeVar("Record", bound=BaseModel)
_CHECKSUM = re.compile(rb',"crc":"([0-9a-f]{8})"}')
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_CHECKSUM_LENGTH = len(b',"crc":"01234567"}')


def to_line(record: BaseModel) -> bytes:
    """One JSON object and a newline; its last key ``crc`` is the CRC-32 of the object without it."""
    body = _ENCODER.encode(record.model_dump(mode="json")).encode()
    return body[:-1] + f',"crc":"{zlib.crc32(body):08x}"}}\n'.encode()


def from_line(line: bytes) -> bytes:
    """The JSON object in a line, without its checksum.

    Raises:
        ValueError: the line is cut or changed.
    """
    found = _CHECKSUM.fullmatch(line, max(0, len(line) - _CHECKSUM_LENGTH))
    if found is None:
        raise ValueError("it has no checksum at its end")
    body = line[: found.start()] + b"}"
    if zlib.crc32(body) != int(found[1], 16):
        raise ValueError("its checksum does not fit")
    return body


def read_lines(path: Path, kind: type[Record]) -> Iterator[Record]:
    """The records of a file, oldest first; a cut last line is left out.

    Raises:
        StoreError: any other line is damaged.
    """
    return (record for _, record in read_places(path, kind))


def read_places(path: Path, kind: type[Record]) -> Iterator[tuple[int, Record]]:
    """As `read_lines`, each record with the byte at which it begins."""
    if not path.exists():
        return
    offset = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                yield offset, kind.model_validate_json(from_line(line.rstrip(b"\n")))
            except (ValueError, ValidationError) as error:
                raise StoreError(
                    f"{path}, line {number} (byte {offset}) is damaged: {error}. Nothing was changed; "
                    "restore the file or delete that line to have it computed again."
                ) from error
            offset += len(line)


def read_line(file: BinaryIO, offset: int, kind: type[Record]) -> Record:
    """The record that begins at a byte where `read_places` found one."""
    file.seek(offset)
    return kind.model_validate_json(from_line(file.readline().rstrip(b"\n")))


class AppendFile:
    """A file that is only ever appended to, by one writer."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.dropped = _drop_cut_tail(path)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def append(self, records: Sequence[BaseModel]) -> None:
        """Writes the records; they are on disk when this returns.

        Raises:
            StoreError: the disk is full or gone; earlier records are safe.
        """
        data = b"".join(map(to_line, records))
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
            os.fdatasync(self._descriptor)
        except OSError as error:
            raise StoreError(
                f"{self.path}: {error.strerror}. What was finished before is safe; run the same "
                "command again when there is room."
            ) from error

    def close(self) -> None:
        os.close(self._descriptor)


def _drop_cut_tail(path: Path) -> int:
    """Cuts what follows the last newline and returns how many bytes that were."""
    if not path.exists():
        return 0
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        end = size
        while end:
            start = max(0, end - 65_536)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        file.truncate(end)
        return size - end


class Store:
    """The folder of one run, locked while it is open for writing.

    Raises:
        StoreError: the folder cannot be written, or another run has it open.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.audio = folder / "audio"
        self.notices: list[str] = []
        try:
            self.audio.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(folder / "lock")
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise StoreError(f"{folder} is in use by {_owner(folder)}") from error
        except OSError as error:
            raise StoreError(f"{folder} cannot be written: {error.strerror}") from error
        if (folder / "owner.json").exists():
            self.notices.append(f"{_owner(folder)} ended without closing this run; it is resumed")
        owner = {"pid": os.getpid(), "host": socket.gethostname()}
        write_whole(folder / "owner.json", json.dumps(owner))
        self._answers = AppendFile(folder / "answers.jsonl")
        self._grades = AppendFile(folder / "grades.jsonl")
        for file in (self._answers, self._grades):
            if file.dropped:
                self.notices.append(f"{file.path.name}: dropped a line cut short ({file.dropped} bytes)")

    def add_answers(self, records: Sequence[AnswerRecord]) -> None:
        self._answers.append(records)

    def add_grades(self, records: Sequence[GradeRecord]) -> None:
        self._grades.append(records)

    def answers(self) -> list[AnswerRecord]:
        return list(read_lines(self.folder / "answers.jsonl", AnswerRecord))

    def grades(self) -> list[GradeRecord]:
        return list(read_lines(self.folder / "grades.jsonl", GradeRecord))

    def write_transcripts(self, records: Sequence[TranscriptRecord]) -> None:
        write_whole(self.folder / "transcripts.jsonl", b"".join(map(to_line, records)))

    def write_plan(self, run: RunFile, items: Iterable[RunItem], keep_transcripts: bool = False) -> None:
        """Says what the folder holds. Items are written as they come.

        Transcripts, which are kept elsewhere too, have to be written anew; or those are kept whose items
        are still heard as they were.
        """
        kept = self._transcripts() if keep_transcripts else {}
        before = {item.id: _heard(item) for item in self._items_of(kept)}
        (self.folder / "transcripts.jsonl").unlink(missing_ok=True)
        write_whole(self.folder / "items.jsonl", map(to_line, items))
        same = [item.id for item in self._items_of(kept) if _heard(item) == before.get(item.id)]
        if same:
            self.write_transcripts([kept[item] for item in same])
        write_whole(self.folder / "run.json", run.model_dump_json(indent=1))

    def _transcripts(self) -> dict[str, TranscriptRecord]:
        records = read_lines(self.folder / "transcripts.jsonl", TranscriptRecord)
        return {record.item: record for record in records}

    def _items_of(self, transcripts: Mapping[str, TranscriptRecord]) -> Iterator[RunItem]:
        """The written items that have a transcript; of none nothing is read."""
        written = read_lines(self.folder / "items.jsonl", RunItem) if transcripts else ()
        return (item for item in written if item.id in transcripts)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._answers.close()
        self._grades.close()
        (self.folder / "owner.json").unlink(missing_ok=True)
        self._lock.release()


def read_run(folder: Path) -> RunFile:
    """The run.json of a folder.

    Raises:
        StoreError: there is none, or it is not one of ours.
    """
    path = folder / "run.json"
    try:
        run = RunFile.model_validate_json(path.read_bytes())
    except OSError as error:
        raise StoreError(f"{folder} is not a run: {path.name}: {error.strerror}") from error
    except ValidationError as error:
        raise StoreError(f"{path} cannot be read by this version of speechzoo:\n{error}") from error
    if run.schema_version != SCHEMA_VERSION:
        raise StoreError(
            f"{path} has layout {run.schema_version}, this version of speechzoo reads {SCHEMA_VERSION}"
        )
    return run


def _heard(item: RunItem) -> tuple[tuple[str, ...], str | None] | None:
    """The clips that a transcriber listens to, and what is said in them."""
    asks = (ask for condition, ask in item.asks.items() if condition.speech_in)
    return next(((ask.clips, ask.spoken) for ask in asks), None)


def _owner(folder: Path) -> str:
    try:
        owner = json.loads((folder / "owner.json").read_text())
        return f"process {owner['pid']} on {owner['host']}"
    except (OSError, ValueError, KeyError, TypeError):  # gone, or cut short by a kill
        return "another process"
