"""The two main commands on the real models and real speech, on a few items."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from speechzoo.catalogue import open_catalogue
from speechzoo.loading import fetch

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module", autouse=True)
def fetched() -> None:
    fetch(open_catalogue().model("cascade"), print)


def evaluate(folder: Path, *arguments: str) -> dict[str, Any]:
    """Runs ``speechzoo eval`` offline and returns its report.json."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "speechzoo", "eval", "--out", "run", *arguments],
        env=environment, cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads((folder / "run" / "report.json").read_text())
    assert report["run"]["signature"] in done.stdout
    assert report["run"]["signature"] in (folder / "run" / "report.html").read_text()
    return report


def test_s2sbench_mini(tmp_path: Path) -> None:
    """Otherwise: the demo, the first thing anybody runs, does not work."""
    report = evaluate(tmp_path, "--model", "cascade", "--task", "s2sbench-mini", "--limit", "6")
    assert [stage["name"] for stage in report["stages"]] == ["T0", "T", "S"]
    assert {stage["valid"] for stage in report["stages"]} == {6}
    for item in report["items"]:
        # The cascade's text path is its base LLM: any difference would be the machinery's.
        assert item["cells"]["T0"]["scores"] == item["cells"]["T"]["scores"]
        assert item["cells"]["S"]["heard"] and item["cells"]["S"]["wer"] < 0.7
    assert report["hearing"]["heard"] is True
    assert report["prior"]["items"] == 6


def test_spoken_qa_mini_speaks(tmp_path: Path) -> None:
    """Otherwise: replies are graded by their text although the question was what was said aloud."""
    report = evaluate(
        tmp_path, "--model", "cascade", "--task", "spoken-qa-mini", "--limit", "2",
        "--conditions", "t2t,s2t,t2s,s2s", "--set", "max_tokens=16",
    )  # fmt: skip
    assert [stage["name"] for stage in report["stages"]] == ["T0", "T", "TS", "S", "SS"]
    for item in report["items"]:
        spoken = item["cells"]["SS"]
        assert (tmp_path / "run" / spoken["clips"][0]).is_file()
        assert spoken["details"]["transcript"]
    spoken = next(row for row in report["metrics"] if row["metric"]["name"] == "reply_wer")
    assert "SS" in spoken["values"] and spoken["items"]


def test_a_checkpoint_of_ones_own(tmp_path: Path) -> None:
    """Otherwise: a fine-tune needs a registry entry, or a changed one passes for the old."""
    folder = open_catalogue().model("smollm2-135m").folder
    assert folder is not None
    own = tmp_path / "my checkpoint"
    shutil.copytree(folder, own)
    command = ("--model", f"text-llm@{own}", "--task", "s2sbench-mini", "--limit", "2", "--conditions", "t2t")
    first = evaluate(tmp_path, *command)
    assert first["run"]["systems"]["model"]["identity"]["revision"]
    tokenizer = own / "tokenizer_config.json"
    tokenizer.write_text(tokenizer.read_text() + "\n")
    again = subprocess.run(
        [sys.executable, "-m", "speechzoo", "eval", "--out", "run", *command],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert again.returncode == 3 and "model.revision" in again.stderr
