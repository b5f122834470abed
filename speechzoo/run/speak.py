"""Texts as speech by a voice: each is spoken once ever, and kept beside the fetched files."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence

from filelock import FileLock

from speechzoo.asks import Failure
from speechzoo.audio import AudioClip
from speechzoo.errors import StoreError
from speechzoo.loading import Component, load
from speechzoo.run.describe import digest
from speechzoo.run.execute import isolating
from speechzoo.run.files import write_whole
from speechzoo.run.progress import Progress
from speechzoo.services import Voice
from speechzoo.setup import LoadOptions
from speechzoo.weights import cache_folder

TEXTS_A_CALL = 8

Spoken = dict[str, AudioClip | Failure]
"""Clips by their texts; a failure where the voice cannot speak one."""


def speak(component: Component, texts: Iterable[str], device: str, progress: Progress) -> Spoken:
    """Each text as a clip that tells what is said in it. The voice is loaded only if one is missing.

    Failures are not kept: another machine, or another try, may do better.

    Args:
        component: the voice.
        texts: what is said; equal texts are spoken once.
        device: where the voice runs.
        progress: is told how far it is, and how many texts failed.

    Raises:
        SetupError: the voice cannot be loaded.
        StoreError: the cache cannot be written.
    """
    cache = SpeechCache(component, device)
    wanted = list(dict.fromkeys(texts))
    spoken: Spoken = {text: clip for text in wanted if (clip := cache.read(text)) is not None}
    todo = [text for text in wanted if text not in spoken]
    progress.stage(f"speaking ({component.name})", len(wanted), len(spoken))
    if todo:
        spoken |= _spoken(load(component, LoadOptions(device=device)), todo, cache, progress)
    _tell_failures(spoken, progress)
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


def _spoken(voice: Voice, texts: Sequence[str], cache: SpeechCache, progress: Progress) -> Spoken:
    spoken: Spoken = {}
    try:
        for start in range(0, len(texts), TEXTS_A_CALL):
            batch = list(texts[start : start + TEXTS_A_CALL])
            for text, clip in zip(batch, isolating(voice.speak, batch), strict=True):
                spoken[text] = cache.add(text, clip) if isinstance(clip, AudioClip) else _failure(clip)
            progress.advance(len(batch))
    finally:
        voice.close()
    return spoken


def _failure(made: object) -> Failure:
    return made if isinstance(made, Failure) else Failure("wrong_answer_shape", f"no clip but {made!r}")


def _tell_failures(spoken: Spoken, progress: Progress) -> None:
    failures = [one for one in spoken.values() if isinstance(one, Failure)]
    if failures:
        counted = ", ".join(f"{n} {reason}" for reason, n in Counter(f.reason for f in failures).items())
        progress.say(f"{len(failures)} texts could not be spoken ({counted}): {failures[0].detail}")
