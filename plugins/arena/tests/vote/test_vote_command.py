"""The command with finished runs: resuming after a kill, one voter at a time, wrong use."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from speechzoo_arena.records import FILE, read_votes

ADDRESS = re.compile(r"open (http://127\.0\.0\.1:\d+/\S+/) in a browser")


class Voting:
    """A running ``speechzoo vote``."""

    def __init__(self, environment: dict[str, str], *arguments: str | Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "speechzoo", "vote", *map(str, arguments)],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        said = []
        for line in self.process.stdout:
            said.append(line)
            if found := ADDRESS.search(line):
                self.url = found[1]
                return
        assert self.process.stderr is not None
        raise AssertionError("".join(said) + self.process.stderr.read())

    def state(self) -> Any:
        with urlopen(f"{self.url}state", timeout=10) as answer:
            return json.load(answer)

    def vote(self, choice: str) -> Any:
        body = json.dumps({"ballot": self.state()["id"], "choice": choice}).encode()
        origin = self.url.rsplit("/", 2)[0]
        asked = Request(f"{self.url}vote", body, {"Content-Type": "application/json", "Origin": origin})
        with urlopen(asked, timeout=10) as answer:
            return json.load(answer)

    def end(self, how: signal.Signals) -> str:
        self.process.send_signal(how)
        assert self.process.stderr is not None
        return self.process.communicate(timeout=30)[1]


@pytest.fixture
def voting(environment: dict[str, str]) -> Iterator[Any]:
    started: list[Voting] = []

    def start(*arguments: str | Path) -> Voting:
        started.append(Voting(environment, *arguments))
        return started[-1]

    yield start
    for own in started:
        if own.process.poll() is None:
            own.process.kill()
            own.process.wait()


def test_a_killed_program_has_lost_nothing(voting: Any, runs: Any, tmp_path: Path, command: Any) -> None:
    """Otherwise a crash would cost an evening of listening."""
    where = ("--name", "anna", "--out", tmp_path / "votes", "--again", "0")
    first = voting(*runs, *where)
    first.vote("first")
    coming = first.vote("tie")
    assert "is in use" in command("vote", *runs, *where, code=3).stderr
    first.end(signal.SIGKILL)
    again = voting(*runs, *where)
    state = again.state()
    assert (state["done"], state["total"]) == (2, 3)
    assert state["ballot"]["turns"] == coming["ballot"]["turns"]
    assert state["ballot"]["clips"] == coming["ballot"]["clips"]
    again.vote("second")
    assert "3 of 3 votes are kept" in again.end(signal.SIGINT)
    votes = read_votes(tmp_path / "votes")
    assert [vote.outcome for vote in votes] == ["first", "tie", "second"]
    assert {vote.group for vote in votes} == {"semantic", "ambient"}
    assert {own for vote in votes for own in (vote.first, vote.second)} == {"short", "long"}
    told = command("judge-report", tmp_path / "votes").stdout
    assert "3 votes by" in told


def test_votes_join_an_arena(voting: Any, runs: Any, tmp_path: Path, command: Any) -> None:
    """Otherwise people and models could not be held against each other on the same battles."""
    arena = tmp_path / "arena"
    command("arena", *runs, "--judge", "longer", "--out", arena)
    own = voting(arena, "--name", "anna")
    for _ in range(3):
        own.vote("cannot_judge" if own.state()["done"] == 2 else "first")
    own.end(signal.SIGINT)
    kinds = [(vote.kind, vote.judge) for vote in read_votes(arena)]
    assert kinds.count(("human", "anna")) == 3 and len(kinds) > 3
    report = command("judge-report", arena).stdout
    assert "people" in report and "1 cannot_judge" in " ".join(report.split())
    command("arena", arena)


def test_wrong_use_is_explained(runs: Any, tmp_path: Path, command: Any) -> None:
    """Otherwise an option would be ignored without a word."""
    assert "name runs" in command("vote", code=2).stderr
    assert "at least two" in command("vote", runs[0], "--name", "a", "--out", tmp_path, code=2).stderr
    assert "no pseudonym" in command("vote", *runs, "--name", " \x1b[1m", code=2).stderr
    assert "--key is about --import" in command("vote", *runs, "--key", runs[0] / "run.json", code=2).stderr
    page = tmp_path / "x.html"
    assert "--name means nothing with --export" in command(
        "vote", *runs, "--export", page, "--name", "a", code=2
    ).stderr.replace("\n", " ")
    assert not (tmp_path / FILE).exists() and {own.name for own in tmp_path.iterdir()} <= {"lock"}
