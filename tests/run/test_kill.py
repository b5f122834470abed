"""kill -9 at random instants: nothing lost, nothing computed twice, the same report."""

import json
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil

from speechzoo.run.plan import ask_all, make_plan
from speechzoo.run.records import AnswerRecord, Key
from speechzoo.run.store import read_lines
from speechzoo.specs import Condition

KILLS = 20
ITEMS = 200


def command(folder: str, log: str) -> list[str]:
    return [
        sys.executable, "-m", "speechzoo", "eval", "--model", "instrument", "--task", "arithmetic",
        "--conditions", "s2t,s2s", "--set", f"count={ITEMS}", "--set", f"log={log}", "--set", "delay=0.01",
        "--batch-tokens", "30", "--out", folder,
    ]  # fmt: skip


def digests() -> dict[Key, str]:
    """What each key asks, planned here once more."""
    from speechzoo_instrument_parts import Arithmetic

    task = Arithmetic(None, count=ITEMS, poison=-1, penalty=0.0, wording="is")
    conditions = (Condition.S2T, Condition.S2S)
    items = list(task.items())
    plan = make_plan(ask_all(task, items, conditions), items, {"model": conditions}, seed=0, priors=["model"])
    return {work.key: work.digest for work in plan.works}


def asked(log: Path) -> list[str]:
    """Digests of every ask the model was given, in order."""
    return [line.split(" ", 1)[0] for line in log.read_text().splitlines()] if log.exists() else []


def findings(folder: Path) -> dict[str, Any]:
    found = json.loads((folder / "report.json").read_text())
    for name in ("created", "environment", "fingerprint", "signature", "systems"):
        del found["run"][name]  # these hold the log's path or the time
    return found


def written(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_killed_twenty_times_it_reports_what_an_undisturbed_run_reports(
    instrument: dict[str, str], tmp_path: Path
) -> None:
    """Otherwise: a crash of the machine costs a run, or worse, silently changes its result."""

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        pipe, quiet = subprocess.PIPE, subprocess.DEVNULL
        return subprocess.Popen(command(*arguments), env=instrument, cwd=tmp_path, stdout=pipe, stderr=quiet)

    def end(process: subprocess.Popen[bytes]) -> int:
        process.communicate()
        return process.returncode

    def kill(process: subprocess.Popen[bytes]) -> None:
        workers = psutil.Process(process.pid).children()
        process.kill()
        end(process)
        # A worker ends when its run is gone, and not in the same instant.
        assert not psutil.wait_procs(workers, 10)[1]

    assert end(start("whole", "log-whole")) == 0
    digest_of = digests()
    answers, log = tmp_path / "killed" / "answers.jsonl", tmp_path / "log-killed"
    chance = random.Random(20)
    # Random instants while answers and then grades are written, and a few while the program starts.
    for instant in [0] * 3 + sorted(chance.sample(range(2 * len(digest_of)), KILLS - 3)):
        safe = {record.key for record in read_lines(answers, AnswerRecord)}
        before = len(asked(log))
        process = start("killed", "log-killed")
        while written(answers) + written(answers.with_name("grades.jsonl")) < instant:
            assert process.poll() is None, "the run ended before it could be killed"
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.05 if instant else 1.5))
        kill(process)
        assert safe <= {record.key for record in read_lines(answers, AnswerRecord)}, (
            "a finished answer is lost"
        )
        # Items with equal continuations have equal priors: asks are counted, not only told apart.
        open_asks = Counter(digest for key, digest in digest_of.items() if key not in safe)
        assert not Counter(asked(log)[before:]) - open_asks, "a finished ask was computed again"
    assert end(start("killed", "log-killed")) == 0
    assert findings(tmp_path / "killed") == findings(tmp_path / "whole")
    keys = [record.key for record in read_lines(answers, AnswerRecord)]
    assert len(keys) == len(set(keys)) == len(digest_of)
