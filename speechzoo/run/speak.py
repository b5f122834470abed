"""Texts as speech by a voice: each is spoken once ever, and kept beside the fetched files."""

import hashlib
from collections.abc import Iterable

from filelock import FileLock

from speechzoo.asks import Failure
from speechzoo.audio import AudioClip
from speechzoo.errors import StoreError
from speechzoo.loading import Component
from speechzoo.run.describe import digest
from speechzoo.run.files import write_whole
from speechzoo.run.jobs import in_batches, served, tell_failures
from speechzoo.run.progress import Progress
from speechzoo.weights import cache_folder

TEXTS_A_CALL = 8

Spoken = dict[str, AudioClip | Failure]
"""Clips by their texts; a failure where the voice cannot speak one."""


def speak(
    component: Component, texts: Iterable[str], device: str, progress: Progress, jobs: int = 1
) -> Spoken:
    """Each text as a clip that tells what is said in it. The voice is loaded only if one is missing.

    Failures are not kept: another machine, or another try, may do better.

    Args:
        component: the voice.
        texts: what is said; equal texts are spoken once.
        device: where the voice runs.
        progress: is told how far it is, and how many texts failed.
        jobs: processes with a voice each; see `jobs.served`.

    Raises:
        SetupError: the voice cannot be loaded.
        SpeechzooError: one of several processes died.
        StoreError: the cache cannot be written.
    """
    cache = SpeechCache(component, device)
    wanted = list(dict.fromkeys(texts))
    spoken: Spoken = {text: clip for text in wanted if (clip := cache.read(text)) is not None}
    todo = [text for text in wanted if text not in spoken]
    progress.stage(f"speaking ({component.name})", len(wanted), len(spoken))
    batches = in_batches(todo, TEXTS_A_CALL)
    for batch, made in zip(batches, served(component, "speak", batches, device, jobs), strict=True):
        for text, clip in zip(batch, made, strict=True):
            spoken[text] = cache.add(text, clip) if isinstance(clip, AudioClip) else _failure(clip)
        progress.advance(len(batch))
    tell_failures(spoken.values(), "texts could not be spoken", progress)
    return {text: spoken[text] for text in wanted}


class SpeechCache:
    """What one voice on one kind of device said; runs at the same time may share it."""

    def __init__(self, component: Component, device: str) -> None:
        name = digest([component.identity(), device.partition(":")[0]])[:32]
        self.folder = cache_folder() / "speech" / name

    def read(self, text: str) -> AudioClip | None:
        """The clip, if it was spoken before."""
        path = self.folder / _file_name(text)
        return AudioClip.from_file(path, text) if path.exists() else None

    def add(self, text: str, clip: AudioClip) -> AudioClip:
        """Keeps a clip; it is on disk when this returns, and the same as `read` will give."""
        path = self.folder / _file_name(text)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / "lock"):
                write_whole(path, clip.encoded())
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error.strerror}") from error
        return AudioClip.from_file(path, text)


def _file_name(text: str) -> str:
    return f"{hashlib.sha256(text.encode()).hexdigest()}.flac"


def _failure(made: object) -> Failure:
    return made if isinstance(made, Failure) else Failure("wrong_answer_shape", f"no clip but {made!r}")
