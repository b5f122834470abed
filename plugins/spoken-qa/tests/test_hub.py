"""The data as they come from a hub: unpinned entries are told, pinned ones fetched as links and read."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.hub import Hub, Repository, commit, files_of, running_hub

from .conftest import audio, write_parquet

DATA = "TwinkStart/llama-questions"
FIRST = commit(1)
Speechzoo = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """Holds two rows in the published layout, and a card that is not wanted."""
    rows = [{"Questions": f"What is {n}?", "Answer": str(n), "audio": audio(n)} for n in range(2)]
    write_parquet(tmp_path / "published/data/test-00000-of-00001.parquet", rows)
    (tmp_path / "published/README.md").write_text("a card")
    with running_hub() as hub:
        hub.repositories[DATA] = Repository({FIRST: files_of(tmp_path / "published")}, kind="datasets")
        yield hub


@pytest.fixture
def speechzoo(hub: Hub, tmp_path: Path) -> Speechzoo:
    environment = {**hub.environment(tmp_path), "SPEECHZOO_PLUGINS": "spoken-qa,cascade"}

    def run(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "speechzoo", *arguments],
            capture_output=True, text=True, env={**os.environ, **environment}, cwd=tmp_path, timeout=120,
            check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr + done.stdout
        return done

    return run


def test_data_are_pinned_then_fetched_then_read(speechzoo: Speechzoo, hub: Hub) -> None:
    """Otherwise the published sets could be had by hand only, or a figure would be of an unknown commit."""
    told = speechzoo("validate", "llama-questions", code=3).stderr
    assert "speechzoo pin llama-questions" in told and "--data DIR" in told and hub.requests == []
    speechzoo("pin", "llama-questions")
    speechzoo("fetch", "llama-questions")
    found = speechzoo("validate", "llama-questions", "--decode").stdout
    assert "llama-questions: 2 items" in found and "problems: none" in found
    assert not any("README" in request for request in map(str, hub.requests))
