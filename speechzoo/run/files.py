"""Writing a whole file so that it is there or it is not."""

import os
from pathlib import Path

from speechzoo.errors import StoreError


def write_whole(path: Path, content: str | bytes) -> None:
    """Replaces a file at once and syncs it: readers see the old content or the new.

    Raises:
        StoreError: the disk is full or the folder cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    draft = path.with_name(f".{path.name}")
    try:
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written: {error.strerror}. What was finished before is safe."
        ) from error
