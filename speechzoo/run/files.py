"""Writing a whole file so that it is there or it is not."""

import os
from collections.abc import Iterable
from pathlib import Path

from speechzoo.errors import StoreError


def write_whole(path: Path, content: str | bytes | Iterable[bytes]) -> None:
    """Replaces a file at once and syncs it: readers see the old content or the new.

    Of content in pieces none is kept in memory.

    Raises:
        StoreError: the disk is full or the folder cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    pieces = [data] if isinstance(data, bytes) else data
    draft = path.with_name(f".{path.name}")
    try:
        with draft.open("wb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written: {error.strerror}. What was finished before is safe."
        ) from error
