"""What the tests share: votes and battles of few words, and the command line."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from plugins.arena.tests.players import NAMES, run_of
from speechzoo.plugins import discover
from speechzoo.run.store import AppendFile

from speechzoo_arena.records import FILE, Battle, Vote

Made = Callable[..., Any]
SITE = Path(__file__).parent / "site"
START = datetime(2026, 1, 1, tzinfo=UTC)


def a_battle(first: str, second: str, outcome: str = "first", dialogue: str = "d0", **more: Any) -> Battle:
    return Battle.model_validate(
        {
            "dialogue": dialogue, "cluster": dialogue, "first": first, "second": second,
            "judge": "judge", "kind": "model", "outcome": outcome, **more,
        }
    )  # fmt: skip


def a_vote(first: str, second: str, outcome: Any = "first", dialogue: str = "d0", **more: Any) -> Vote:
    return Vote.model_validate(
        {
            "dialogue": dialogue, "cluster": dialogue, "first": first, "second": second,
            "judge": "judge", "kind": "model", "outcome": outcome, "created": START, "basis": "b", **more,
        }
    )  # fmt: skip


def some_battles(text: str) -> list[Battle]:
    """``"XY1 YZ0 XZ="``: X against Y, X won; Y against Z, Z won; a tie. Each on a dialogue of its own."""
    outcomes = {"1": "first", "0": "second", "=": "tie"}
    return [
        a_battle(one, two, outcomes[result], dialogue=f"d{place}")
        for place, (one, two, result) in enumerate(text.split())
    ]


@pytest.fixture
def battle() -> Made:
    return a_battle


@pytest.fixture
def vote() -> Made:
    return a_vote


@pytest.fixture
def battles() -> Callable[[str], list[Battle]]:
    return some_battles


@pytest.fixture
def keep(tmp_path: Path) -> Callable[[str, Iterable[Vote]], Path]:
    """Writes votes into a folder, as a store does."""

    def write(name: str, votes: Iterable[Vote]) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        file = AppendFile(folder / FILE)
        file.append(
            [
                own.model_copy(update={"created": START + timedelta(seconds=place)})
                for place, own in enumerate(votes)
            ]
        )
        file.close()
        return folder

    return write


@pytest.fixture(scope="module")
def players() -> Iterator[dict[str, str]]:
    """The environment in which the players plugin is installed, in this process and in others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SITE))
        patch.setenv("SPEECHZOO_PLUGINS", "arena,players")
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(SITE), os.environ.get("PYTHONPATH")])))
        discover.cache_clear()
        yield dict(os.environ)
    discover.cache_clear()


@pytest.fixture
def speechzoo(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs ``speechzoo ARGUMENTS`` in a fresh process and folder."""
    environment = {**os.environ, "SPEECHZOO_PLUGINS": "arena", "COLUMNS": "80"}

    def run(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        command: Sequence[str] = [sys.executable, "-m", "speechzoo", *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=120, check=False
        )
        assert done.returncode == code, done.stderr + done.stdout
        return done

    return run


@pytest.fixture(scope="module")
def runs(players: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three finished runs: two words, four and eight in the first turn."""
    folder = tmp_path_factory.mktemp("runs")
    return [run_of(name, folder / name) for name in NAMES]
