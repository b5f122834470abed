"""What the tests share: a folder in the reference's layout, and the command line."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

SITE = Path(__file__).parents[3] / "tests" / "site"

STORIES = "S2S/StoryCloze"
CMMLU = "S2S/cmmlu"
# Rate and channels of the clips, in turn: nothing about them is promised.
SHAPES = ((8_000, 1), (16_000, 2), (22_050, 1), (44_100, 2), (48_000, 1))

Row = dict[str, Any]
Speechzoo = Callable[..., subprocess.CompletedProcess[str]]


def write_rows(file: Path, rows: Sequence[Row]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return file


@pytest.fixture
def write_wav() -> Callable[[Path, int], None]:
    """Writes a short tone of that number."""
    return _write_wav


def _write_wav(file: Path, number: int) -> None:
    """A short tone; no two numbers give the same samples."""
    rate, channels = SHAPES[number % len(SHAPES)]
    times = np.arange(rate // 4) / rate
    mono = 0.3 * np.sin(2 * np.pi * (200 + 7 * number) * times)
    file.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(file, np.stack([mono] * channels, axis=1), rate)


def story_rows(pairs: int, context: str) -> list[Row]:
    return [
        {"uttid": 2 * pair + wrong, "first": f"{context} {pair}", "last": f"end {'wrong' * wrong} {pair}."}
        for pair in range(pairs)
        for wrong in range(2)
    ]


def choice_rows(questions: int) -> list[Row]:
    return [
        {
            "uttid": f"q{number}",
            "first": f"题目{number}，" if number % 2 else "没有数字的题目，",
            **{letter: f"选项{letter}第{number}条。" for letter in "ABCD"},
            "answer": "ABCD"[number % 4],
        }
        for number in range(questions)
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Data in the reference's layout: 4 English pairs, 3 Chinese pairs, 5 questions, all with audio."""
    root = tmp_path / "S2SBench"
    english = story_rows(4, "Tom went out to buy some bread and saw a dog on day")
    chinese = [{**row, "uttid": f"{row['uttid']}_zh"} for row in story_rows(3, "小明出门买面包")]
    questions = choice_rows(5)
    for rows, records, audio in (
        (english, f"{STORIES}/sStory_s2t.jsonl", f"{STORIES}/s-story-firstspeech"),
        (chinese, f"{STORIES}/zh_story.jsonl", f"{STORIES}/zh_story"),
        (questions, f"{CMMLU}/cmmlu_rewrite_4.jsonl", f"{CMMLU}/cmmlu_rewrite"),
    ):
        write_rows(root / records, rows)
        for number, row in enumerate(rows):
            _write_wav(root / audio / f"{row['uttid']}.wav", number)
    return root


@pytest.fixture
def speechzoo(tmp_path: Path) -> Speechzoo:
    """Runs ``speechzoo ARGUMENTS`` in a fresh process and folder, with the instrument model."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(SITE),
        "SPEECHZOO_PLUGINS": "instrument,s2sbench,cascade",
        "SPEECHZOO_CACHE": str(tmp_path / "cache"),
    }

    def run(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "speechzoo", *arguments],
            capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr + done.stdout
        return done

    return run
