"""The published layout, asked of real models from end to end."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
from speechzoo import AudioClip, Condition, Grade, Voice
from speechzoo.catalogue import open_catalogue
from speechzoo.loading import load
from speechzoo.run.results import read_results

from .conftest import write_parquet

QUESTIONS = {
    "What is the capital of France?": "Paris",
    "What is the capital of Japan?": "Tokyo",
    "Who wrote Romeo and Juliet?": "Shakespeare",
    "What is the largest ocean on Earth?": "Pacific",
    "What do bees make?": "honey",
    "What is the capital of Italy?": "Rome",
}


def spoken(folder: Path) -> Path:
    """Llama Questions' layout, spoken by Piper, in the formats that audio comes in by turns."""
    voice: Voice = load(open_catalogue().service("piper-joe"))
    rows = []
    for number, clip in enumerate(voice.speak(list(QUESTIONS))):
        assert isinstance(clip, AudioClip)
        encoded = io.BytesIO()
        soundfile.write(encoded, clip.samples(), clip.header.rate, format=("WAV", "MP3", "FLAC")[number % 3])
        question = list(QUESTIONS)[number]
        audio = {"bytes": encoded.getvalue(), "path": None}
        rows.append({"Questions": question, "Answer": QUESTIONS[question], "audio": audio})
    write_parquet(folder / "data/test-00000-of-00001.parquet", rows)
    return folder


@pytest.mark.slow
@pytest.mark.stack
def test_the_embedded_stack_answers_llama_questions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise published data are read, and no model can be asked about them."""
    done = subprocess.run(
        [
            sys.executable, "-m", "speechzoo", "eval", "--model", "cascade", "--task", "llama-questions",
            "--data", str(spoken(tmp_path / "data")), "--conditions", "t2t,s2s",
            "--set", "task.max_tokens=16", "--out", str(tmp_path / "run"),
        ],
        capture_output=True, text=True, timeout=580, check=False, cwd=tmp_path,
        env={**os.environ, "SPEECHZOO_PLUGINS": "spoken-qa,cascade"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    results = read_results(tmp_path / "run").results
    for condition in (Condition.T2T, Condition.S2S):
        own = [
            r
            for key, r in results.items()
            if (key.role, key.condition, key.variant) == ("model", condition, "")
        ]
        grades = [result.outcome for result in own if isinstance(result.outcome, Grade)]
        assert len(grades) == len(own) == len(QUESTIONS)
        assert sum(grade.values["exist"] for grade in grades) >= 2, "a capital or two is known"
        assert all(("transcript" in grade.details) == condition.speech_out for grade in grades)
