"""What the tests share: MTalk-Bench's data as published, in small, and answers to them."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import soundfile
from pyarrow import parquet
from speechzoo import AudioClip, Failure, Judge, Setup

RATE = 24_000
GENERAL = "criteria_s_1: they answer. criteria_s_2: they are true. Look at criteria_s_1 first."
SPECIFIC = "criteria_d_1: the reply names {number}."

Row = dict[str, Any]


def _tone(seconds: float, number: int, rate: int = RATE) -> bytes:
    """A WAV of a tone; no two numbers give the same samples."""
    buffer = io.BytesIO()
    times = np.arange(round(seconds * rate)) / rate
    soundfile.write(buffer, 0.3 * np.sin(2 * np.pi * (200 + 9 * number) * times), rate, format="WAV")
    return buffer.getvalue()


def _row(kind: str, number: str, turn: int, transcription: str, **other: Any) -> Row:
    """A published row: every row of a dialogue has the prompts."""
    return {
        "type": kind,
        "number": number,
        "turn": f"turn{turn}",
        "source": "question",
        "audio": {
            "bytes": _tone(0.5, sum(map(ord, kind + number)) + turn),
            "path": f"{number}-turn{turn}.wav",
        },
        "transcription": transcription,
        "arena_prompt": f"Which is better in {kind}?",
        "rubric_prompt_general": GENERAL,
        "rubric_prompt_specific": SPECIFIC.format(number=number),
        **other,
    }


def _published_rows() -> list[Row]:
    """Numbers that repeat across types, cues, three turns out of order, and a reply row."""
    return [
        _row("para", "1-1", 1, "[whispering] Hello there."),
        _row("sem", "1-10", 1, "What is the tenth?"),
        _row("sem", "1-2", 3, "And the third?"),
        _row("sem", "1-2", 1, "The first question.", arena_prompt="", rubric_prompt_specific=""),
        _row("sem", "1-2", 2, "The second (coughs) question."),
        _row("amb", "1-1", 1, "[the sound of wind and distant thunder] Shall I go out?"),
        _row("amb", "1-1", 2, "[thunder]"),
        _row("sem", "1-1", 1, "Hello."),
        _row("sem", "1-1", 1, "My reply.", source="Parrot"),
    ]


def _write_parquet(folder: Path, rows: Sequence[Row]) -> Path:
    """``data/test-00000-of-00001.parquet`` as ``datasets`` writes it, in row groups of three."""
    texts = [name for name in rows[0] if name != "audio"]
    schema = pa.schema(
        [
            *(pa.field(name, pa.string()) for name in texts),
            pa.field("audio", pa.struct({"bytes": pa.binary(), "path": pa.string()})),
        ]
    )
    file = folder / "data" / "test-00000-of-00001.parquet"
    file.parent.mkdir(parents=True)
    parquet.write_table(pa.Table.from_pylist(list(rows), schema), file, row_group_size=3)
    return folder


@pytest.fixture
def tone() -> Callable[..., bytes]:
    return _tone


@pytest.fixture
def row() -> Callable[..., Row]:
    return _row


@pytest.fixture
def published_rows() -> list[Row]:
    return _published_rows()


@pytest.fixture
def write_parquet() -> Callable[[Path, Sequence[Row]], Path]:
    return _write_parquet


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("SPEECHZOO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path: Path, cache: Path) -> Path:
    return _write_parquet(tmp_path / "MTalk-Bench", _published_rows())


class Ears:
    """A recogniser that hears a clip's length in tenths of a second, and in silence nothing.

    It remembers how often it was asked.
    """

    def __init__(self) -> None:
        self.calls = 0

    def transcribe(self, clips: Sequence[AudioClip]) -> list[str | Failure]:
        self.calls += len(clips)
        return [f"heard {round(10 * clip.seconds)} tenths" if clip.samples().any() else " " for clip in clips]

    def close(self) -> None: ...


@pytest.fixture
def setup_of() -> Callable[..., Setup]:
    """Makes a setup with ears, and a judge if one is given."""

    def make(folder: Path, judge: Judge | None = None) -> Setup:
        parts: dict[str, Callable[[], Any]] = {"transcriber": Ears}
        if judge is not None:
            parts["judge"] = lambda: judge
        return Setup(name="mtalk-bench", folder=folder, parts=parts)

    return make
