"""Environments of models that need packages of their own: locked, made once with uv, kept in the cache.

An environment holds what its registry entry names, what the worker's side of speechzoo needs, and, without
what those depend on, speechzoo itself and the plugins of the model: the same as here. Once made it is never
changed.
"""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from speechzoo.errors import SetupError
from speechzoo.registry import EnvironmentEntry
from speechzoo.weights import Say, cache_folder, clear_stale, scratch_folder

WORKER_NEEDS = ("lazy-loader>=0.4", "numpy>=1.26", "soundfile>=0.12.1", "soxr>=0.5")
"""All that ``python -m speechzoo.run.serve`` imports."""

LOCK = "requirements.lock"
_MADE = "speechzoo-environment.json"
_LINES_TOLD = 25


@dataclass(frozen=True)
class Environment:
    """One that is made.

    Attributes:
        folder: where.
        lock: digest of the versions and hashes of all that is installed in it, 16 hex digits.
        python: its version, such as ``3.11.9``.
        packages: speechzoo and the plugins in it, and the version of each.
    """

    folder: Path
    lock: str
    python: str
    packages: Mapping[str, str]

    @property
    def interpreter(self) -> Path:
        return _interpreter(self.folder)

    def call(self, target: str, folder: Path) -> None:
        """``target(folder)`` in it, for a function ``"module:name"``.

        Raises:
            SetupError: it fails.
        """
        program = (
            "import sys, pathlib, speechzoo.recipe\n"
            "speechzoo.recipe.import_target(sys.argv[1])(pathlib.Path(sys.argv[2]))"
        )
        _run([str(self.interpreter), "-I", "-c", program, target, str(folder)], f"{target} failed")

    def versions(self) -> dict[str, str]:
        """The packages that its lock names, and the version of each."""
        lines = (self.folder / LOCK).read_text().splitlines()
        pins = [line.split()[0].split(";")[0] for line in lines if "==" in line and line[0].isalnum()]
        return dict(pin.split("==", 1) for pin in pins)


def find(name: str, entry: EnvironmentEntry, packages: Mapping[str, str]) -> Environment:
    """The environment of a registry entry.

    Args:
        name: of the entry.
        entry: what it needs.
        packages: speechzoo and the plugins that are at work here, and the version of each.

    Raises:
        SetupError: it is not made, or was made with other versions of ours.
    """
    folder = _home(name, entry)
    if not (folder / _MADE).is_file() or not _interpreter(folder).exists():
        raise SetupError(f"{name} runs in an environment that is not made yet: speechzoo env make {name}")
    found = Environment(folder, **json.loads((folder / _MADE).read_text()))
    if absent := sorted({*packages} - {*found.packages}):
        raise SetupError(
            f"the environment of {name} has no {', '.join(absent)}, which the entry itself does not need: "
            "a model with another part takes an entry of its own that names this part"
        )
    if odd := [own for own, version in packages.items() if found.packages[own] != version]:
        told = ", ".join(f"{own} {found.packages[own]} (here {packages[own]})" for own in sorted(odd))
        raise SetupError(
            f"the environment of {name} was made with {told}: make it anew with speechzoo env make {name}"
        )
    return found


def make(name: str, entry: EnvironmentEntry, packages: Mapping[str, str], say: Say) -> Environment:
    """Makes an environment, which downloads packages; does nothing if it is there.

    Args:
        name: of the registry entry.
        entry: what it needs.
        packages: speechzoo and the plugins to be installed, and the version of each.
        say: is told what happens, a line at a time.

    Raises:
        SetupError: uv is not installed or fails; nothing is left behind.
    """
    try:
        found = find(name, entry, packages)
    except SetupError:
        pass
    else:
        say(f"{name}: already at {found.folder}")
        return found
    home = _home(name, entry)
    home.parent.mkdir(parents=True, exist_ok=True)
    clear_stale(home)
    with scratch_folder(home) as scratch:
        draft = scratch / "environment"
        _build(name, entry, packages, draft, say)
        shutil.rmtree(home, ignore_errors=True)
        draft.rename(home)
    found = find(name, entry, packages)
    say(f"{name}: ready at {home}")
    return found


def _build(name: str, entry: EnvironmentEntry, packages: Mapping[str, str], draft: Path, say: Say) -> None:
    uv = _UV(name, draft.parent)
    interpreter = str(_interpreter(draft))
    say(f"{name}: Python {entry.python}")
    uv.run("get this Python", "venv", "--python", _python(entry.python), "--relocatable", str(draft))
    wanted, lock = draft / "requirements.txt", draft / LOCK
    wanted.write_text("\n".join([*entry.requirements, *WORKER_NEEDS, ""]))
    say(f"{name}: choosing versions")
    quiet = ("--no-header", "--no-annotate", "--generate-hashes")
    where = ("--python", interpreter)
    uv.run("choose versions", "pip", "compile", *where, *quiet, "-o", str(lock), str(wanted))
    say(f"{name}: installing {sum('==' in line for line in lock.read_text().splitlines())} packages")
    uv.run("install its packages", "pip", "sync", *where, str(lock))
    ours = [word for package in packages for word in _from_where(package)]
    uv.run("install speechzoo", "pip", "install", *where, "--no-deps", *ours)
    made = _tried(name, interpreter)
    content = {"lock": _digest(lock.read_text()), "python": made, "packages": dict(packages)}
    (draft / _MADE).write_text(json.dumps(content))


def _python(version: str) -> str:
    """The one that runs here where it will do: no other need be looked for or downloaded."""
    here = platform.python_version_tuple()
    return sys.executable if here[: version.count(".") + 1] == tuple(version.split(".")) else version


def _tried(name: str, interpreter: str) -> str:
    """The version of its Python, once the worker's side could be imported there."""
    program = "import platform, speechzoo.run.serve; print(platform.python_version())"
    problem = f"speechzoo cannot be used in the environment of {name}"
    return _run([interpreter, "-I", "-c", program], problem).strip()


class _UV:
    """Runs uv; see https://docs.astral.sh/uv/reference/cli.

    Args:
        name: whose environment it is, for messages.
        folder: where it runs: a project's uv.toml or pyproject.toml is not to decide anything.
    """

    def __init__(self, name: str, folder: Path) -> None:
        try:
            import uv
        except ImportError as error:
            raise SetupError(
                f"environments are made with uv: pip install 'speechzoo[env]' ({error})"
            ) from error
        self._command = uv.find_uv_bin()
        self._name, self._folder = name, folder

    def run(self, purpose: str, *arguments: str) -> None:
        problem = f"the environment of {self._name} could not be made: uv could not {purpose}"
        _run([self._command, *arguments], problem, self._folder)


def _run(command: Sequence[str], problem: str, folder: Path | None = None) -> str:
    """What a program prints; if it fails, the problem is told with the end of its standard error."""
    # Whatever else is active here is not what is meant.
    inherited = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(command, cwd=folder, env=inherited, capture_output=True, text=True, check=False)
    if done.returncode:
        told = "\n".join(done.stderr.strip().splitlines()[-_LINES_TOLD:])
        raise SetupError(f"{problem}:\n{told}")
    return done.stdout


def _from_where(package: str) -> list[str]:
    """What uv is to install so that it is the package that is installed here (PEP 610)."""
    here = distribution(package)
    if (told := here.read_text("direct_url.json")) is None:
        return [f"{package}=={here.version}"]
    origin = json.loads(told)
    if commit := origin.get("vcs_info"):
        return [f"{package} @ {commit['vcs']}+{origin['url']}@{commit['commit_id']}"]
    if "dir_info" not in origin:
        return [f"{package} @ {origin['url']}"]
    editable = ["--editable"] if origin["dir_info"].get("editable") else []
    return [*editable, url2pathname(urlsplit(origin["url"]).path)]


def _home(name: str, entry: EnvironmentEntry) -> Path:
    safe = "".join(c if c.isalnum() or c in "._-" else "-" for c in name)
    declared: list[Any] = [entry.model_dump(mode="json"), WORKER_NEEDS]
    return cache_folder() / "environments" / f"{safe}-{_digest(json.dumps(declared, sort_keys=True))}"


def _interpreter(folder: Path) -> Path:
    return folder / "bin" / "python"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
