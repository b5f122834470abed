"""What the tests of voting share: dialogues of tones, finished runs, and the command line."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from speechzoo import AudioClip, Item

from speechzoo_arena.entries import Entry, Side
from speechzoo_arena.material import Exchange
from speechzoo_arena.vote_box import BallotBox
from speechzoo_arena.vote_plan import make_plan
from speechzoo_arena.vote_server import VoteServer

SITE = Path(__file__).parents[1] / "site"
WORDS = "Is it raining?"


def a_tone(pitch: float, seconds: float = 0.15) -> AudioClip:
    times = np.arange(int(16_000 * seconds)) / 16_000
    return AudioClip.from_samples((0.2 * np.sin(2 * np.pi * pitch * times)).astype(np.float32), 16_000)


def some_entries(
    systems: tuple[str, ...] = ("short", "long"), dialogues: int = 4, words: str = WORDS
) -> list[Entry]:
    """Dialogues of two turns, every clip a tone of its own; the last reply of each is written."""
    found = []
    for number in range(dialogues):
        entry = Entry(Item(f"secret-{number}", {}, {"subset": "semantic"}))
        for place, system in enumerate(systems):
            exchanges = (
                Exchange(a_tone(200 + number), words, reply=a_tone(500 + 10 * number + place)),
                Exchange(a_tone(300 + number), words, reply_text=f"{words} number {place}"),
            )
            entry.sides[system] = Side(exchanges, None, 5, f"replies of {system} to {number}")
        found.append(entry)
    return found


@pytest.fixture
def tone() -> Callable[..., AudioClip]:
    return a_tone


@pytest.fixture
def entries() -> Callable[..., list[Entry]]:
    return some_entries


@pytest.fixture
def box(tmp_path: Path) -> Callable[..., BallotBox]:
    """Opens a voter's box in the test's folder; each call is as a new start of the program."""

    def make(entries: list[Entry], voter: str = "anna", active: bool = False, **more: Any) -> BallotBox:
        options = {"battles": None, "again": 0.0, "seed": 0, **more}
        plan = make_plan({own.item.id: sorted(own.sides) for own in entries}, voter, active=active, **options)
        return BallotBox(tmp_path, voter, entries, plan, active=active, seed=0)

    return make


@pytest.fixture
def serve() -> Iterator[Callable[..., VoteServer]]:
    """Serves a box in this process."""
    running: list[VoteServer] = []

    def start(box: BallotBox, free: bool = False) -> VoteServer:
        server = VoteServer(box, free=free)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.append(server)
        return server

    yield start
    for own in running:
        own.shutdown()
        own.server_close()


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(SITE), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "SPEECHZOO_PLUGINS": "arena,players", "COLUMNS": "80"}


@pytest.fixture(scope="session")
def command(environment: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs ``speechzoo ARGUMENTS`` in a fresh process."""

    def run(*arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "speechzoo", *map(str, arguments)]
        done = subprocess.run(line, capture_output=True, text=True, env=environment, timeout=300, check=False)
        assert done.returncode == code, done.stderr + done.stdout
        return done

    return run


@pytest.fixture(scope="session")
def runs(command: Any, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two systems' finished runs over three dialogues."""
    folder = tmp_path_factory.mktemp("runs")
    for model in ("short", "long"):
        command(
            "eval", "-m", model, "-t", "chats", "--conditions", "s2s",
            "--set", "task.count=3", "--out", folder / model,
        )  # fmt: skip
    return [folder / "short", folder / "long"]
