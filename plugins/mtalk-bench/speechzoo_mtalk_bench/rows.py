"""The rows of a folder of MTalk-Bench: Parquet as published, or JSON Lines with the audio beside them."""

import hashlib
import re
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from speechzoo import AudioClip, SpeechzooError
from speechzoo.jsonl import read_jsonl
from speechzoo.run.files import write_whole
from speechzoo.weights import cache_folder

QUESTION = "question"
SUBSETS = {"sem": "semantic", "para": "paralinguistic", "amb": "ambient"}
PROMPTS = ("arena_prompt", "rubric_prompt_general", "rubric_prompt_specific")
NEEDED = ("type", "number", "turn", "audio", "transcription")
ROWS_A_BATCH = 16
# Of a column; without it a group of rows, some 50 MB of audio, is read at once.
BUFFER_BYTES = 1 << 20

_NUMBER = re.compile(r"\d+-\d+")
_TURN = re.compile(r"turn([1-9]\d*)")
_CUE = re.compile(r"\[[^\[\]]*\]|\([^()]*\)|【[^【】]*】|（[^（）]*）")


@dataclass(frozen=True)
class Row:
    """One turn of a user, or of a system that replies.

    Attributes:
        where: file and row, for messages.
        type: ``sem``, ``para`` or ``amb``.
        number: scenario and record, such as ``1-10``; dialogues of each type have the same numbers.
        turn: from 1.
        source: ``question``, or the system whose reply it is.
        clip: the audio, with the words that are said in it.
        transcription: with cues in brackets.
        prompts: those of `PROMPTS` that the row has.
    """

    where: str
    type: str
    number: str
    turn: int
    source: str
    clip: AudioClip
    transcription: str
    prompts: Mapping[str, str]


def read_rows(folder: Path, types: Container[str]) -> Iterator[Row]:
    """The rows of these types: of ``dialogues.jsonl``, else of ``test-*.parquet``, here or in ``data/``.

    Audio inside Parquet files is unpacked into the cache's folder ``mtalk-bench``, a few rows at a time.

    Raises:
        SpeechzooError: there is no such file, a column is missing, or a row is malformed.
    """
    if (folder / "dialogues.jsonl").exists():
        raw = _jsonl_rows(folder / "dialogues.jsonl")
    else:
        raw = _parquet_rows(_parquet_files(folder))
    for where, values in raw:
        if _text(where, values, "type") not in SUBSETS:
            raise SpeechzooError(f"{where}: type is one of {', '.join(SUBSETS)}, not {values['type']!r}")
        if values["type"] in types:
            yield _row(where, values, folder)


def words_of(transcription: str) -> str:
    """The spoken words alone, without what stands in brackets."""
    return " ".join(_CUE.sub(" ", transcription).split())


def cues_of(transcription: str) -> list[str]:
    """What stands in brackets: sounds, and manners of speaking."""
    return [cue[1:-1].strip() for cue in _CUE.findall(transcription)]


def _jsonl_rows(file: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for row in read_jsonl(file):
        yield f"{file}:{row.line}", row.values


def _parquet_files(folder: Path) -> list[Path]:
    for place in (folder / "data", folder):
        if files := sorted(place.glob("test-*.parquet")):
            return files
    raise SpeechzooError(
        f"{folder} holds no MTalk-Bench: there is neither data/test-*.parquet nor dialogues.jsonl"
    )


def _parquet_rows(files: Iterable[Path]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    import pyarrow
    from pyarrow import parquet

    for file in files:
        try:
            with parquet.ParquetFile(file, buffer_size=BUFFER_BYTES, pre_buffer=False) as table:
                if lacking := [name for name in NEEDED if name not in table.schema_arrow.names]:
                    raise SpeechzooError(f"{file} has no column {', '.join(lacking)}")
                known = (*NEEDED, "source", *PROMPTS)
                columns = [name for name in known if name in table.schema_arrow.names]
                batches = table.iter_batches(ROWS_A_BATCH, columns=columns)
                rows = (values for batch in batches for values in batch.to_pylist())
                for number, values in enumerate(rows, start=1):
                    yield f"{file}, row {number}", values
        except (pyarrow.ArrowException, OSError) as error:
            raise SpeechzooError(f"{file} cannot be read: {error}") from error


def _row(where: str, values: Mapping[str, Any], folder: Path) -> Row:
    number, turn = _text(where, values, "number"), _text(where, values, "turn")
    if not _NUMBER.fullmatch(number):
        raise SpeechzooError(f"{where}: number is scenario-record, such as 1-10, not {number!r}")
    if not (counted := _TURN.fullmatch(turn)):
        raise SpeechzooError(f"{where}: turn is turn1, turn2, ..., not {turn!r}")
    source = values.get("source") or QUESTION
    transcription = values["transcription"] or ""
    name = f"{values['type']}-{number}-{turn}"
    path = _audio(where, values["audio"], folder, name)
    return Row(
        where=where,
        type=values["type"],
        number=number,
        turn=int(counted[1]),
        source=source,
        clip=AudioClip.from_file(path, transcript=words_of(transcription), language="en"),
        transcription=transcription,
        prompts={name: values[name] for name in PROMPTS if (values.get(name) or "").strip()},
    )


def _text(where: str, values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    if not isinstance(value, str) or not value.strip():
        raise SpeechzooError(f"{where}: {name!r} must be a text with something in it, not {value!r}")
    return value


def _audio(where: str, audio: object, folder: Path, name: str) -> Path:
    """The file that the row names, or its bytes put into one, as the type Audio of ``datasets`` has them."""
    held: Mapping[str, Any] = audio if isinstance(audio, Mapping) else {"path": audio}
    if held.get("bytes") is not None:
        return _unpacked(held["bytes"], name)
    path = held.get("path")
    if not isinstance(path, str) or not path:
        raise SpeechzooError(f"{where}: 'audio' has neither bytes nor a path")
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise SpeechzooError(f"{where}: 'audio' leaves the data folder: {path!r}")
    return folder / path


def _unpacked(content: bytes, name: str) -> Path:
    file = cache_folder() / "mtalk-bench" / f"{name}-{hashlib.sha256(content).hexdigest()[:32]}.audio"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, content)
    return file
