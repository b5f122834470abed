"""A package index without a network, for tests: what is installed as wheels again, and made-up ones."""

import base64
import hashlib
import zipfile
from collections.abc import Iterable, Mapping
from importlib.metadata import distribution, requires
from pathlib import Path

from packaging.requirements import Requirement

WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def closure(names: Iterable[str]) -> set[str]:
    """The packages and all that they need here."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        if (name := waiting.pop().lower()) not in found:
            found.add(name)
            needs = [Requirement(line) for line in requires(name) or ()]
            waiting += [one.name for one in needs if one.marker is None or one.marker.evaluate({"extra": ""})]
    return found


def repack(name: str, folder: Path) -> None:
    """A wheel of an installed package."""
    here = distribution(name)
    files = {}
    for path in here.files or ():
        if ".." not in path.parts and "__pycache__" not in path.parts and path.name != "RECORD":
            files[path.as_posix()] = path.locate().read_bytes()  # type: ignore[attr-defined]
    tags = [
        line.split()[1].split("-") for line in (here.read_text("WHEEL") or "").splitlines() if "Tag:" in line
    ]
    tag = "-".join(".".join(sorted(set(one))) for one in zip(*tags, strict=True))
    _write(
        folder / f"{_safe(name)}-{here.version}-{tag}.whl", files, f"{_safe(name)}-{here.version}.dist-info"
    )


def wheel(name: str, version: str, files: Mapping[str, str], folder: Path) -> None:
    """A wheel of modules given as text."""
    about = f"{name}-{version}.dist-info"
    content = {
        **files,
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{about}/WHEEL": WHEEL,
    }
    encoded = {path: text.encode() for path, text in content.items()}
    _write(folder / f"{name}-{version}-py3-none-any.whl", encoded, about)


def _write(path: Path, files: Mapping[str, bytes], about: str) -> None:
    record = ""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            name = f"{about}/{name.partition('/')[2]}" if ".dist-info/" in name else name
            archive.writestr(name, content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            record += f"{name},sha256={digest},{len(content)}\n"
        archive.writestr(f"{about}/RECORD", f"{record}{about}/RECORD,,\n")


def _safe(name: str) -> str:
    return name.replace("-", "_").replace(".", "_").lower()
