"""Commits are looked up once and written down, and nothing else is fetched: on a hub of the tests' own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from speechzoo import weights
from speechzoo.cli.project_file import NotExtendedError, add_entries
from speechzoo.errors import SpeechzooError
from speechzoo.registry import HubSource, ModelEntry, read_registry
from tests.conftest import SITE
from tests.hub import MEMBER, STRANGER, Hub, Repository, commit, files_of, running_hub
from tests.testing.adapters import write_checkpoint

Run = Callable[..., subprocess.CompletedProcess[str]]
FIRST, SECOND = commit(1), commit(2)
LLM = "Qwen/Qwen2.5-7B"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A tiny text LLM, and beside it what nobody wants to download."""
    folder = tmp_path_factory.mktemp("llm")
    write_checkpoint(folder)
    return {**files_of(folder), "pytorch_model.bin": b"pickle" * 100}


@pytest.fixture
def hub(checkpoint: dict[str, bytes]) -> Iterator[Hub]:
    """Serves the tiny LLM under a name that the shipped registry has without a commit."""
    with running_hub() as hub:
        hub.repositories[LLM] = Repository({FIRST: checkpoint}, licence="apache-2.0")
        yield hub


@pytest.fixture
def speechzoo(hub: Hub, tmp_path: Path) -> Run:
    """Runs ``speechzoo ARGUMENTS`` in a fresh process, with that hub and caches of its own."""

    def run(*arguments: str, code: int = 0, token: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        environment = {
            **hub.environment(tmp_path, token),
            "PYTHONPATH": str(SITE),
            "SPEECHZOO_PLUGINS": "instrument,cascade",
            **more,
        }
        done = subprocess.run(
            [sys.executable, "-m", "speechzoo", *arguments],
            capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr + done.stdout
        return done

    return run


@pytest.fixture
def fetch(speechzoo: Run, tmp_path: Path) -> Run:
    """Fetches an entry with a commit, whose adapter has nothing to prepare: most of this is about the hub."""
    entry = {
        "adapter": "instrument",
        "summary": "mine",
        "licence": "MIT",
        "sources": [{"hub": LLM, "revision": FIRST, "only": ["*.json", "*.safetensors"]}],
    }
    (tmp_path / "speechzoo.yaml").write_text(json.dumps({"models": {"mine": entry}}))
    return lambda **how: speechzoo("fetch", "mine", **how)


def evaluate(speechzoo: Run, out: Path, *more: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    return speechzoo(
        "eval", "-m", "qwen2.5-7b", "-t", "arithmetic", "--limit", "3", "--max-errors", "100%",
        "--out", str(out), *more, code=code,
    )  # fmt: skip


def test_pinned_fetched_and_run(speechzoo: Run, hub: Hub, tmp_path: Path) -> None:
    """Otherwise a model whose commit nobody has written down could not be used, or not be told apart."""
    told = speechzoo("pin", "qwen2.5-7b")
    assert f"{LLM}@{FIRST} of 2025-09-19" in told.stdout and "licence apache-2.0" in told.stdout
    assert "says licence 'not checked', the hub says 'apache-2.0'" in told.stderr
    assert "next: speechzoo fetch qwen2.5-7b" in told.stdout
    written = read_registry(tmp_path / "speechzoo.yaml").models["qwen2.5-7b"]
    assert written.sources == (HubSource(hub=LLM, revision=FIRST, only=("*.json", "*.safetensors")),)
    assert hub.downloads() == []
    speechzoo("fetch", "qwen2.5-7b")
    assert "model.safetensors" in hub.downloads() and "pytorch_model.bin" not in hub.downloads()
    asked = len(hub.requests)
    evaluate(speechzoo, tmp_path / "run")
    assert len(hub.requests) == asked, "a run asks nobody"
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert run["systems"]["model"]["identity"]["revision"] == weights.revision_of(written.sources)


def test_what_is_pinned_stays_when_the_branch_moves(
    speechzoo: Run, hub: Hub, tmp_path: Path, checkpoint: dict[str, bytes]
) -> None:
    """Otherwise the same name would be another model next month."""
    speechzoo("pin", "qwen2.5-7b")
    hub.repositories[LLM].commits[SECOND] = {"config.json": b"{}", "model.safetensors": b"other"}
    assert "every source is pinned" in speechzoo("pin", "qwen2.5-7b").stdout
    speechzoo("fetch", "qwen2.5-7b")
    (home,) = (tmp_path / "cache" / "files").iterdir()
    assert (home / "model.safetensors").read_bytes() == checkpoint["model.safetensors"]
    assert not (home / "pytorch_model.bin").exists()


def test_another_revision_can_be_named(speechzoo: Run, hub: Hub, tmp_path: Path) -> None:
    """Otherwise nobody could measure the release that a paper is about, once the branch has moved on."""
    hub.repositories[LLM].commits[SECOND] = hub.repositories[LLM].commits[FIRST]
    speechzoo("pin", "qwen2.5-7b", "--revision", FIRST)
    assert FIRST in (tmp_path / "speechzoo.yaml").read_text()
    told = speechzoo("pin", "qwen2.5-7b", "--revision", SECOND, code=2)
    assert "has no source without a commit" in told.stderr


def test_without_a_commit_nothing_is_fetched_or_run(speechzoo: Run, hub: Hub, tmp_path: Path) -> None:
    """Otherwise whatever the branch is at would be measured under a name that says nothing of it."""
    wanted = f"no commit of {LLM} is pinned yet"
    assert "missing: speechzoo pin qwen2.5-7b" in speechzoo("list", "models").stdout
    assert f"hub {LLM}" in speechzoo("show", "qwen2.5-7b").stdout
    for more in ((), ("--online",)):
        told = evaluate(speechzoo, tmp_path / "run", *more, code=3).stderr
        assert wanted in told and "speechzoo pin qwen2.5-7b" in told
        assert "speechzoo fetch" not in told
    told = speechzoo("fetch", "qwen2.5-7b", code=3).stderr
    assert wanted in told and "speechzoo pin qwen2.5-7b" in told
    assert hub.requests == [] and not (tmp_path / "run").exists() and not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("change", "token", "told"),
    [
        ({"kind": "datasets"}, "", "the hub shows no such model. Check its name; if it is private, log in"),
        ({"kind": "datasets"}, STRANGER, "the hub shows no such model"),
        ({"private": True}, "", "if it is private, log in with: hf auth login (or set HF_TOKEN)"),
        ({"commits": {FIRST: {"README.md": b"soon"}}}, "", "has no file that is wanted here: *.json"),
    ],
    ids=["missing", "missing, with an account", "private", "empty"],
)
def test_what_cannot_be_looked_up_is_told_with_the_way_out(
    speechzoo: Run, hub: Hub, tmp_path: Path, change: dict[str, object], token: str, told: str
) -> None:
    """Otherwise a user would read the client's traceback, or find an entry written that cannot be fetched."""
    for name, value in change.items():
        setattr(hub.repositories[LLM], name, value)
    done = speechzoo("pin", "qwen2.5-7b", token=token, code=3)
    assert told in done.stderr and LLM in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "speechzoo.yaml").exists()


def test_a_private_repository_is_pinned_with_an_account(speechzoo: Run, hub: Hub) -> None:
    """Otherwise a lab could not use speechzoo on what it has not published."""
    hub.repositories[LLM].private = True
    assert FIRST in speechzoo("pin", "qwen2.5-7b", token=MEMBER).stdout


def test_a_hub_that_is_not_there_is_told(speechzoo: Run) -> None:
    """Otherwise a cluster without network would show a traceback."""
    gone = speechzoo("pin", "qwen2.5-7b", code=3, HF_ENDPOINT="http://127.0.0.1:9")
    assert f"{LLM} could not be looked up" in gone.stderr and "Traceback" not in gone.stderr
    offline = speechzoo("pin", "qwen2.5-7b", code=3, HF_HUB_OFFLINE="1")
    assert "HF_HUB_OFFLINE" in offline.stderr


def test_gated_files_say_how_to_get_them(speechzoo: Run, fetch: Run, hub: Hub, tmp_path: Path) -> None:
    """Otherwise who has not accepted Llama's terms would take the name for a wrong one."""
    hub.repositories[LLM].gated = True
    page = f"{hub.url}/{LLM}"
    for token in ("", STRANGER):
        refused = fetch(token=token, code=3).stderr
        assert f"{LLM}@{FIRST[:8]} could not be had" in refused
        assert f"Accept them at {page}, then log in with: hf auth login (or set HF_TOKEN)" in refused
        assert not any((tmp_path / "cache" / "files").iterdir())
    fetch(token=MEMBER)
    (tmp_path / "speechzoo.yaml").unlink()
    assert f"accept them at {page} and log in" in speechzoo("pin", "qwen2.5-7b").stdout


def test_a_commit_that_is_not_there_is_told(speechzoo: Run) -> None:
    """Otherwise a mistyped commit would look like a fault of the network."""
    own = f"instrument@{LLM}@{SECOND}"
    told = speechzoo("eval", "-m", own, "-t", "arithmetic", "--online", code=3).stderr
    assert f"{LLM}@{SECOND[:8]} could not be had" in told and "has no such revision" in told


def test_a_broken_download_goes_on_where_it_broke(
    fetch: Run, hub: Hub, tmp_path: Path, checkpoint: dict[str, bytes]
) -> None:
    """Otherwise 20 GB over a bad line would never arrive."""
    large = os.urandom(24_000_000)
    hub.repositories[LLM].commits[FIRST] = {**checkpoint, "extra.safetensors": large}
    hub.broken_once.add("extra.safetensors")
    fetch()
    ranges = [r for m, p, r in hub.requests if m == "GET" and p.endswith("/extra.safetensors")]
    assert len(ranges) == 2 and ranges[1].startswith("bytes=1")
    (home,) = (tmp_path / "cache" / "files").iterdir()
    assert (home / "extra.safetensors").read_bytes() == large


def test_a_failed_fetch_leaves_nothing_and_keeps_what_came(
    speechzoo: Run, fetch: Run, hub: Hub, tmp_path: Path
) -> None:
    """Otherwise half a model would be run, or everything be downloaded again."""
    hub.refused.add("model.safetensors")
    assert "could not be had" in fetch(code=3).stderr
    assert not any((tmp_path / "cache" / "files").iterdir())
    told = speechzoo("eval", "-m", "mine", "-t", "arithmetic", code=3).stderr
    assert "mine is not fetched: speechzoo fetch mine" in told
    hub.refused.clear()
    before = hub.downloads()
    fetch()
    again = hub.downloads()[len(before) :]
    assert "model.safetensors" in again and not {"config.json", "tokenizer.json"} & set(again)


def test_a_kept_snapshot_that_is_not_whole_is_not_taken(fetch: Run, hub: Hub) -> None:
    """Otherwise a node without network would run half a checkpoint that a broken download left."""
    hub.refused.add("model.safetensors")
    fetch(code=3)
    told = fetch(code=3, HF_HUB_OFFLINE="1").stderr
    assert f"{LLM}@{FIRST[:8]} could not be had" in told


def test_what_was_cleared_from_the_hubs_cache_is_fetched_again(
    speechzoo: Run, fetch: Run, tmp_path: Path
) -> None:
    """Otherwise fetch would say that all is there, and every run that nothing is."""
    fetch()
    (blobs,) = (tmp_path / "huggingface").rglob("blobs")
    for blob in blobs.iterdir():
        blob.unlink()
    assert "missing: speechzoo fetch mine" in speechzoo("list", "models").stdout
    assert "downloading" in fetch().stdout
    assert "already at" in fetch().stdout


def test_files_that_others_downloaded_are_not_linked(fetch: Run, hub: Hub, tmp_path: Path) -> None:
    """Otherwise what lies in a folder would depend on what else was done on the machine."""
    program = f"from huggingface_hub import snapshot_download as s; s({LLM!r}, revision={FIRST!r})"
    subprocess.run([sys.executable, "-c", program], env=hub.environment(tmp_path), check=True)
    fetch()
    assert list((tmp_path / "huggingface").rglob("pytorch_model.bin"))
    assert list((tmp_path / "cache").rglob("model.safetensors"))
    assert not list((tmp_path / "cache").rglob("pytorch_model.bin"))


def test_an_entry_of_ones_own_file_is_printed_to_be_put_there(speechzoo: Run, tmp_path: Path) -> None:
    """Otherwise the commit would be written where a later file hides it."""
    text = f"models:\n  mine: {{adapter: text-llm, summary: mine, licence: MIT, sources: [{{hub: {LLM}}}]}}\n"
    own = tmp_path / "own.yaml"
    own.write_text(text)
    told = speechzoo("pin", "mine", "--registry", "own.yaml", code=2).stderr
    assert f"the entry stands in {own}" in told and "Nothing was written" in told
    entry = yaml.safe_load(told[told.index("models:") :])["models"]["mine"]
    assert entry["sources"] == [{"hub": LLM, "revision": FIRST}]
    assert own.read_text() == text and not (tmp_path / "speechzoo.yaml").exists()


ENTRY = ModelEntry(
    adapter="a", summary="# no comment: 'x'", licence="l", sources=(HubSource(hub="o/r", revision="1" * 40),)
)
OLD = "{adapter: a, summary: old, licence: MIT}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# only a remark",
        f"models:\n  old: {OLD}\n",
        f"models:   # ours\n\n    # the old one\n    old: {OLD}   # kept\naliases: {{x: old}}\n",
        f"models:\r\n  old: {OLD}\r\n",
        f"aliases: {{x: old}}\nmodels:\n  old: {OLD}",
        f"services: {{s: {OLD}}}\n",
        "\ufeffmodels:\n  old: " + OLD + "\n",
    ],
)
def test_a_file_is_added_to_and_nothing_of_it_is_lost(tmp_path: Path, text: str) -> None:
    """Otherwise a user's remarks would be gone, or another entry be changed."""
    file = tmp_path / "speechzoo.yaml"
    file.write_bytes(text.encode())
    before = read_registry(file) if text.strip("\ufeff") else None
    add_entries(file, {"models": {"new": ENTRY}})
    after = read_registry(file)
    assert after.models["new"] == ENTRY
    if before is not None:
        assert {name: entry for name, entry in after.models.items() if name != "new"} == before.models
        assert (after.aliases, after.services) == (before.aliases, before.services)
    kept = iter(file.read_text().splitlines())
    assert all(line in kept for line in text.removeprefix("\ufeff").splitlines()), "in their order"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"models: {{old: {OLD}}}\n", "not written in a form"),
        ("{}\n", "not written in a form"),
        ("models: {}\n", "not written in a form"),
        (f"models:\n  new: {OLD}\n", "has the entry new already"),
    ],
)
def test_a_file_that_cannot_be_added_to_is_left_as_it_is(tmp_path: Path, text: str, told: str) -> None:
    """Otherwise a file of another form would be rewritten, or spoilt."""
    file = tmp_path / "speechzoo.yaml"
    file.write_text(text)
    with pytest.raises(NotExtendedError, match=told):
        add_entries(file, {"models": {"new": ENTRY}})
    assert file.read_text() == text


def test_a_file_that_is_not_valid_is_told_as_that(tmp_path: Path) -> None:
    """Otherwise an entry would be written into a file that no command can read."""
    file = tmp_path / "speechzoo.yaml"
    file.write_text("modles: {}\n")
    with pytest.raises(SpeechzooError, match="is not valid"):
        add_entries(file, {"models": {"new": ENTRY}})
