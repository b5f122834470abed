"""The rows of published data: Parquet files with the audio inside, or CSV files with it beside them."""

import csv
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from speechzoo import AudioClip, SpeechzooError
from speechzoo.run.files import write_whole
from speechzoo.weights import cache_folder

ROWS_A_BATCH = 16
# Of a column; without it a group of rows, some 50 MB of audio, is read at once.
BUFFER_BYTES = 1 << 20
AUDIO_OF_CSV = "audios"


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        file: the table it stands in.
        number: from 1, in its file.
        values: by column.
    """

    file: Path
    number: int
    values: Mapping[str, Any]

    @property
    def split(self) -> str:
        """What the file is of, such as ``test`` or ``usa``: its name without the number of the shard."""
        return self.file.stem.partition("-")[0]

    def error(self, message: str) -> SpeechzooError:
        """An error that begins with file and row."""
        return SpeechzooError(f"{self.file}, row {self.number}: {message}")

    def first(self, columns: Sequence[str]) -> Any:
        """The value in the first of these columns that is there; None if none is."""
        return next((self.values[name] for name in columns if name in self.values), None)

    def text(self, columns: Sequence[str]) -> str | None:
        """The same as text, without space around it; None for anything else, and for a blank."""
        value = self.first(columns)
        return value.strip() or None if isinstance(value, str) else None

    def clip(self, column: str, transcript: str | None, language: str | None) -> AudioClip | None:
        """The audio in a column, as a file; None if the row has none.

        It is a struct of bytes and path, as ``datasets`` writes it, or, in a CSV file, a name in the folder
        ``audios`` beside it. Bytes are put into the cache's folder ``spoken-qa``.

        Raises:
            SpeechzooError: the path leaves the data folder.
        """
        held = self.values.get(column)
        struct = held if isinstance(held, Mapping) else {"path": held}
        if content := struct.get("bytes"):
            return AudioClip.from_file(_unpacked(content), transcript, language)
        path = struct.get("path")
        if not isinstance(path, str) or not path.strip():
            return None
        if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            raise self.error(f"{column!r} leaves the data folder: {path!r}")
        folder = self.file.parent / AUDIO_OF_CSV if self.file.suffix == ".csv" else self.file.parent
        return AudioClip.from_file(folder / path, transcript, language)


def read_rows(file: Path, columns: Sequence[str]) -> Iterator[Row]:
    """The rows of a ``.csv`` or ``.parquet`` file, with those of the columns that it has.

    Raises:
        SpeechzooError: it cannot be read.
    """
    read = _csv_values if file.suffix == ".csv" else _parquet_values
    for number, values in enumerate(read(file, columns), start=1):
        yield Row(file, number, values)


def _csv_values(file: Path, columns: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            for values in csv.DictReader(lines, strict=True):
                yield {name: values[name] for name in columns if values.get(name) is not None}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SpeechzooError(f"{file} cannot be read: {error}") from error


def _parquet_values(file: Path, columns: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(file, buffer_size=BUFFER_BYTES, pre_buffer=False) as table:
            there = [name for name in columns if name in table.schema_arrow.names]
            for batch in table.iter_batches(ROWS_A_BATCH, columns=there):
                yield from batch.to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise SpeechzooError(f"{file} cannot be read: {error}") from error


def _unpacked(content: bytes) -> Path:
    file = cache_folder() / "spoken-qa" / f"{hashlib.sha256(content).hexdigest()[:32]}.audio"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, content)
    return file
