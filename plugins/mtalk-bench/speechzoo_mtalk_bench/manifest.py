"""The manifest of a data folder: ``manifest.json``, which names its files and their SHA-256."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from speechzoo import SpeechzooError
from speechzoo.weights import verify_files

from speechzoo_mtalk_bench.rows import Row

MANIFEST = "manifest.json"
TABLES = ("dialogues.jsonl", "capabilities.jsonl", "test-*.parquet", "data/test-*.parquet")


def verified_rows(folder: Path, rows: Iterable[Row]) -> Iterator[Row]:
    """The rows, whose files in the folder are those of its manifest; all of them where there is none.

    Raises:
        SpeechzooError: the manifest is malformed, a file is missing or not the one of the manifest, or the
            folder or a row has one that the manifest does not name.
    """
    file = folder / MANIFEST
    if not file.exists():
        yield from rows
        return
    files = _read(file)
    verify_files(folder, files)
    for path in (path for pattern in TABLES for path in sorted(folder.glob(pattern))):
        _refuse_unnamed(path, folder, files, str(folder))
    for row in rows:
        if isinstance(row.clip.data, Path):
            _refuse_unnamed(row.clip.data, folder, files, row.where)
        yield row


def _refuse_unnamed(path: Path, folder: Path, files: dict[str, str], where: str) -> None:
    """What Parquet files hold is unpacked elsewhere, and verified with them."""
    if path.is_relative_to(folder) and (name := path.relative_to(folder).as_posix()) not in files:
        raise SpeechzooError(f"{where}: {name} is not among the files of {folder / MANIFEST}")


def _read(file: Path) -> dict[str, str]:
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SpeechzooError(f"{file} cannot be read: {error}") from error
    files = manifest.get("files") if isinstance(manifest, dict) else None
    if not isinstance(files, dict) or not all(isinstance(digest, str) for digest in files.values()):
        raise SpeechzooError(f"{file}: 'files' must be an object of file names and their SHA-256")
    return files
