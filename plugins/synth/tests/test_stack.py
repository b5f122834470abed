"""The real voice and the real ears."""

import subprocess
import sys
from pathlib import Path

import pytest
from speechzoo import loading
from speechzoo.catalogue import open_catalogue

pytestmark = pytest.mark.stack

QUESTIONS = [
    "What is the capital of France?",
    "In 1969, who walked on the Moon for the first time?",
    "How much is 25% of $80?",
]


def test_whisper_understands_what_piper_reads(questions, made, tmp_path: Path) -> None:
    """Otherwise: numbers and symbols are read in a way that no listener follows."""
    for name in ("piper-joe-high", "whisper-tiny"):
        loading.fetch(open_catalogue().service(name), print)
    source = questions(QUESTIONS)
    command = [
        "synth",
        str(source),
        "--out",
        str(tmp_path / "out"),
        "--channel",
        "none",
        "--channel",
        "snr=5",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "speechzoo", *command, "--voice", "piper-joe-high", "--assign", "each"],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = made().rows.values()
    assert len(rows) == 2 * len(QUESTIONS)
    assert all(row["wer"] <= 0.25 and "unintelligible" not in row.get("flags", []) for row in rows)
    noisy = [row["channel_wer"] for row in rows if "channel" in row]
    assert len(noisy) == len(QUESTIONS) and max(noisy) < 2
