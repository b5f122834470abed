"""Strict JSON Lines: what Python's reader would quietly bend is an error that names file and line."""

import codecs
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

from speechzoo.errors import SpeechzooError


@dataclass(frozen=True)
class Row:
    """One line of a data file, and where it stands, so that messages can say so."""

    file: Path
    line: int
    values: dict[str, Any]

    def error(self, message: str) -> SpeechzooError:
        """An error that begins with file and line."""
        return SpeechzooError(f"{self.file}:{self.line}: {message}")

    def text(self, key: str) -> str:
        """A field that must be a text with something in it.

        Raises:
            SpeechzooError: it is missing, no text, or blank.
        """
        value = self.values.get(key)
        if not isinstance(value, str) or not value.strip():
            raise self.error(f"{key!r} must be a text with something in it, not {value!r}")
        return value

    def path(self, key: str, folder: Path) -> Path:
        """The file that a field names, relative to the data set's folder.

        Raises:
            SpeechzooError: it would leave the folder, by ``..`` or as an absolute path. Links are
                followed: whoever made the folder made them, such as a cache that keeps files once.
        """
        name = self.text(key)
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise self.error(f"{key!r} leaves the data folder: {name!r}")
        return folder / name


def read_jsonl(file: Path) -> list[Row]:
    """Every line of a UTF-8 file as an object.

    A byte order mark, CRLF and blank lines at the end are accepted.

    Raises:
        SpeechzooError: the file cannot be read, or a line is not UTF-8, not JSON, not an object, has
            a key twice, or holds NaN, an infinite number or half a surrogate pair.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise SpeechzooError(f"{file}: {error.strerror}") from error
    lines = content.removeprefix(codecs.BOM_UTF8).rstrip().split(b"\n")
    if lines == [b""]:
        raise SpeechzooError(f"{file} is empty")
    return [_row(file, number, line) for number, line in enumerate(lines, start=1)]


def refuse_duplicates(rows: Sequence[Row], key: str) -> None:
    """Checks that no two rows have the same value of a field, as text: 0 and "0" name one file.

    Raises:
        SpeechzooError: two have; the message names both lines.
    """
    first: dict[str, int] = {}
    for row in rows:
        value = row.values.get(key)
        text = value if isinstance(value, str) else json.dumps(value)
        if text in first:
            raise row.error(f"{key} {text} stands in line {first[text]} already")
        first[text] = row.line


def _row(file: Path, number: int, line: bytes) -> Row:
    try:
        values = json.loads(
            line.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_not_finite,
            parse_float=_finite,
        )
        json.dumps(values, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError as error:
        raise SpeechzooError(f"{file}:{number}: not UTF-8 at byte {error.start + 1} of the line") from error
    except json.JSONDecodeError as error:
        raise SpeechzooError(f"{file}:{number}: no JSON: {error.msg} at column {error.colno}") from error
    except ValueError as error:
        raise SpeechzooError(f"{file}:{number}: {error}") from error
    if not isinstance(values, dict):
        raise SpeechzooError(f"{file}:{number}: must be an object, not {type(values).__name__}")
    return Row(file, number, values)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in pairs:
        if key in values:
            raise ValueError(f"the key {key!r} stands twice")
        values[key] = value
    return values


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _not_finite(text)


def _not_finite(text: str) -> NoReturn:
    raise ValueError(f"{text} is no finite number")
