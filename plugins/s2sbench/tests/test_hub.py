"""The data as they come from a hub: pinned, fetched as links into its cache, read and run."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from speechzoo.registry import read_registry
from tests.hub import Hub, Repository, commit, files_of, running_hub

import speechzoo_s2sbench

from .conftest import SITE

DATA = "undobug/S2SBench"
FIRST, SECOND = commit(1), commit(2)
Speechzoo = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def hub(folder: Path) -> Iterator[Hub]:
    """Holds data in the reference's layout, and then a commit with other words."""
    with running_hub() as hub:
        first = files_of(folder)
        second = {name: content.replace(b"bread", b"cakes") for name, content in first.items()}
        hub.repositories[DATA] = Repository({FIRST: first, SECOND: second}, kind="datasets")
        shutil.rmtree(folder)
        yield hub


@pytest.fixture
def speechzoo(hub: Hub, tmp_path: Path) -> Speechzoo:
    environment = {
        **hub.environment(tmp_path),
        "PYTHONPATH": str(SITE),
        "SPEECHZOO_PLUGINS": "instrument,s2sbench",
    }

    def run(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "speechzoo", *arguments],
            capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr + done.stdout
        return done

    return run


def evaluate(speechzoo: Speechzoo, out: Path, task: str, *more: str, code: int = 0) -> dict[str, Any] | str:
    """The run's file, or what was told instead."""
    arguments = ("eval", "-m", "instrument", "-t", task, "--out", str(out), *more)
    told = speechzoo(*arguments, code=code).stderr
    return told if code else json.loads((out / "run.json").read_text())


def test_without_a_commit_the_ways_to_the_data_are_told(
    speechzoo: Speechzoo, hub: Hub, tmp_path: Path
) -> None:
    """Otherwise who has the data on a disk would be sent to the hub, or the other way round."""
    ways = ("speechzoo pin s2sbench", "--data undobug/S2SBench@COMMIT", "--data DIR")
    for task in ("s2sbench", "s2sbench/scmmlu"):
        told = evaluate(speechzoo, tmp_path / "run", task, code=3)
        assert all(way in told for way in ways), told
    shown = speechzoo("show", "s2sbench").stdout
    assert all(way in shown for way in ways[1:])
    assert "speechzoo pin s2sbench" in speechzoo("list", "tasks").stdout
    assert hub.requests == []


def test_pinned_data_are_fetched_and_run_though_they_are_links(
    speechzoo: Speechzoo, hub: Hub, tmp_path: Path
) -> None:
    """Otherwise the benchmark could be run from a folder only: the hub's files are links into its cache."""
    told = speechzoo("pin", "s2sbench", "--revision", FIRST)
    assert f"{DATA}@{FIRST}" in told.stdout and "licence none stated" in told.stdout
    speechzoo("fetch", "s2sbench/sstorycloze")
    home = next((tmp_path / "cache" / "files").iterdir())
    assert all(path.is_symlink() for path in home.rglob("*.wav"))
    run = evaluate(speechzoo, tmp_path / "run", "s2sbench", "--conditions", "t2t,s2t")
    items = (tmp_path / "run" / "items.jsonl").read_text()
    assert len(items.splitlines()) == 12 and "bread" in items and "cakes" not in items
    grades = [json.loads(line) for line in (tmp_path / "run" / "grades.jsonl").read_text().splitlines()]
    assert sum(grade["failure"] is None for grade in grades if grade["key"]["variant"] == "") == 24
    assert run["task"]["identity"]["revision"]


def test_data_of_another_commit_are_other_data(speechzoo: Speechzoo, hub: Hub, tmp_path: Path) -> None:
    """Otherwise two versions of a benchmark would be told apart by nobody."""
    runs = [
        evaluate(speechzoo, tmp_path / name, "s2sbench/sstorycloze", "--online", "--data", f"{DATA}@{name}")
        for name in (FIRST, SECOND)
    ]
    assert "bread" in (tmp_path / FIRST / "items.jsonl").read_text()
    assert "cakes" in (tmp_path / SECOND / "items.jsonl").read_text()
    first, second = (run["task"]["identity"]["revision"] for run in runs)
    assert first != second
    told = evaluate(
        speechzoo, tmp_path / "none", "s2sbench", "--online", "--data", f"{DATA}@{commit(3)}", code=3
    )
    assert "has no such revision" in told


def test_records_that_name_their_clips_find_them_among_the_links(
    speechzoo: Speechzoo, hub: Hub, tmp_path: Path
) -> None:
    """Otherwise one's own stories on a hub would be refused: a clip would seem to lie outside the data."""
    shipped = files_of(Path(speechzoo_s2sbench.__file__).parent / "mini")
    lines = shipped["stories.jsonl"].splitlines(keepends=True)[:2]
    clips = {json.loads(line)["audio"] for line in lines}
    few = {"stories.jsonl": b"".join(lines), **{clip: shipped[clip] for clip in clips}}
    hub.repositories["me/stories"] = Repository({FIRST: few}, kind="datasets")
    data = ("--online", "--data", f"me/stories@{FIRST}")
    evaluate(speechzoo, tmp_path / "run", "s2sbench-mini/stories", "--conditions", "s2t", *data)
    (line,) = (tmp_path / "run" / "items.jsonl").read_text().splitlines()
    assert json.loads(line)["failures"] == {}


def test_a_registry_that_names_hashes_refuses_changed_files(
    speechzoo: Speechzoo, hub: Hub, tmp_path: Path
) -> None:
    """Otherwise a file edited in the hub's cache would change a benchmark for everybody on the machine."""
    speechzoo("pin", "s2sbench", "--revision", FIRST)
    file = tmp_path / "speechzoo.yaml"
    records = "S2S/StoryCloze/sStory_s2t.jsonl"
    entry = read_registry(file).data["s2sbench"]
    speechzoo("fetch", "s2sbench")
    home = next((tmp_path / "cache" / "files").iterdir())
    content = entry.model_dump(mode="json", exclude_defaults=True)
    content["files"] = {records: "0" * 64}
    file.write_text(json.dumps({"data": {"s2sbench": content}}))
    told = evaluate(speechzoo, tmp_path / "run", "s2sbench/sstorycloze", code=3)
    assert f"{home / records} is not the registered file" in told
