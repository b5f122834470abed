"""From the command line to the report, over the wire."""

import json
import subprocess
import sys

import pytest

from plugins.openai.tests.protocol import MODEL, Reply, Trouble, clips_of
from speechzoo.loading import load


@pytest.fixture
def evaluated(server, tmp_path):
    """Runs ``speechzoo eval`` against the server and returns the process and the run's folder."""

    def run(*more, name="openai-chat-audio", conditions="t2t,s2t", out="run"):
        command = [sys.executable, "-m", "speechzoo", "eval", "--model", name, "--task", "spoken-qa-mini"]
        command += ["--conditions", conditions, "--limit", "4", "--out", str(tmp_path / out)]
        for setting in (f"base_url={server.base_url}", f"model={MODEL}", "retries=0", *more):
            command += ["--set", setting]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        return done, tmp_path / out

    return run


def test_text_and_speech_are_asked_and_compared(server, evaluated, catalogue):
    """Otherwise the plugin works by itself and not where it is used."""

    def says(body):
        [message] = body["messages"]
        clips = clips_of(message)
        seconds = [len(clip.samples) / clip.rate for clip in clips]
        return Reply(f"{seconds[0]:.3f}" if seconds else message["content"])

    server.says = says
    done, folder = evaluated()
    assert done.returncode == 0, done.stderr
    report = json.loads((folder / "report.json").read_text())
    assert report["run"]["signature"].count(MODEL) == 1
    items = {item.id: item.data for item in load(catalogue.task("spoken-qa-mini")).items()}
    answers = [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]
    asked = [record for record in answers if not record["key"].get("variant")]
    assert len(asked) == 8
    for record in asked:
        item = items[record["key"]["item"]]
        heard = record["key"]["condition"] == "s2t"
        assert record["answer"]["text"] == (f"{item['clip'].seconds:.3f}" if heard else item["question"])


def test_an_unreachable_server_gives_failures_and_no_zeros(server, evaluated):
    """Otherwise an hour without network is told as a model that knows nothing."""
    server.troubles.extend([Trouble(500)] * 100)
    done, folder = evaluated(conditions="t2t")
    assert done.returncode == 1
    assert "4 of 4 answers are invalid" in done.stderr
    assert "unreachable" in (folder / "answers.jsonl").read_text()


def test_a_run_is_run_again_from_its_signature(server, evaluated, tmp_path):
    """Otherwise nobody can repeat a published number."""
    _, folder = evaluated(conditions="t2t")
    signature = json.loads((folder / "report.json").read_text())["run"]["signature"]
    command = [
        sys.executable,
        "-m",
        "speechzoo",
        "eval",
        "--signature",
        signature,
        "--out",
        str(tmp_path / "again"),
    ]
    again = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert json.loads((tmp_path / "again" / "report.json").read_text())["run"]["signature"] == signature
