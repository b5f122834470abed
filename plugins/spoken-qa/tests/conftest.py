"""What the tests share: the published layouts in small, and parts that say what they are told to."""

import csv
import hashlib
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import soundfile
from pyarrow import parquet
from speechzoo import AudioClip, Failure, JudgeAsk, Judgement, Setup

from speechzoo_spoken_qa.task import SpokenQA

Row = dict[str, Any]
FORMATS = (("WAV", 24_000), ("FLAC", 16_000), ("MP3", 44_100), ("OGG", 48_000))


def tone(number: int, seconds: float = 0.5) -> bytes:
    """A tone of its own, in the formats and rates that data come in, by turns."""
    kind, rate = FORMATS[number % len(FORMATS)]
    times = np.arange(round(seconds * rate)) / rate
    buffer = io.BytesIO()
    soundfile.write(buffer, 0.3 * np.sin(2 * np.pi * (200 + 9 * number) * times), rate, format=kind)
    return buffer.getvalue()


def audio(number: int) -> Row:
    """A cell as ``datasets`` writes it."""
    return {"bytes": tone(number), "path": f"{number}.wav"}


def write_parquet(file: Path, rows: Sequence[Row]) -> Path:
    """As ``datasets`` writes it, in row groups of three."""
    file.parent.mkdir(parents=True, exist_ok=True)
    clip = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    plain = pa.Table.from_pylist([{k: v for k, v in row.items() if k != "audio"} for row in rows])
    table = plain.append_column("audio", pa.array([row.get("audio") for row in rows], clip))
    parquet.write_table(table, file, row_group_size=3)
    return file


def write_csv(folder: Path, subset: str, rows: Sequence[Row]) -> None:
    """``eval_datas/SUBSET/SUBSET.csv`` with MP3 files in ``audios``, as OpenAudioBench has them."""
    place = folder / "eval_datas" / subset
    (place / "audios").mkdir(parents=True)
    with (place / f"{subset}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "audio_filename"])
        writer.writeheader()
        for number, row in enumerate(rows):
            name = f"{subset}_{number}.mp3"
            (place / "audios" / name).write_bytes(tone(4 * number + 2))
            writer.writerow({**row, "audio_filename": name})


def write_items(folder: Path, rows: Sequence[Row], **manifest: Any) -> Path:
    """A folder as ``speechzoo synth`` writes it; rows get what they lack."""
    (folder / "audio").mkdir(parents=True, exist_ok=True)
    whole = []
    for number, row in enumerate(rows):
        own = {"id": f"i{number}", "audio": f"audio/{number}.flac", "voice": "joe", "wer": 0.0, **row}
        (folder / own["audio"]).write_bytes(tone(4 * number + 1))
        whole.append({"spoken": own["question"], **own})
    (folder / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in whole))
    names = ["items.jsonl", *(row["audio"] for row in whole)]
    hashes = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    told = {"format": "speechzoo-spoken-items", "version": 1, "files": hashes, **manifest}
    (folder / "manifest.json").write_text(json.dumps(told))
    return folder


class Ears:
    """A transcriber that hears what it is told to, and counts how often it is loaded and asked."""

    def __init__(self, hears: str | Failure) -> None:
        self.hears = hears
        self.loaded = 0
        self.asked = 0

    def load(self) -> "Ears":
        self.loaded += 1
        return self

    def transcribe(self, clips: Sequence[AudioClip]) -> Sequence[str | Failure]:
        self.asked += len(clips)
        return [self.hears for _ in clips]

    def close(self) -> None: ...


class Opinion:
    """A judge that says what it is told to, one form after the other, and remembers what it was asked."""

    hears = False
    longest_seconds = None

    def __init__(self, *forms: Mapping[str, Any]) -> None:
        self.forms = forms
        self.asked: list[JudgeAsk] = []

    def judge(self, asks: Sequence[JudgeAsk]) -> list[Judgement | Failure]:
        self.asked += asks
        return [Judgement(dict(self.forms[n % len(self.forms)]), "") for n in range(len(asks))]

    def close(self) -> None: ...


@pytest.fixture(autouse=True)
def cache(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own; real models lie in the user's."""
    if request.node.get_closest_marker("stack") is None:
        monkeypatch.setenv("SPEECHZOO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


MakeTask = Callable[..., SpokenQA]


@pytest.fixture
def make() -> MakeTask:
    """Makes a task over a folder, with parts that are given as objects."""

    def made(
        name: str, folder: Path, *, parts: Mapping[str, Any] | None = None, **parameters: Any
    ) -> SpokenQA:
        loaders = {
            role: getattr(part, "load", lambda part=part: part) for role, part in (parts or {}).items()
        }
        return SpokenQA(Setup(name, folder, parts=loaders), **parameters)

    return made
