"""What is heard instead of a task's own clips: their words by another voice, and through a channel.

Every changed clip is made once ever, and kept beside the fetched files.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock

from speechzoo import __version__
from speechzoo.asks import Ask, Failure, dialogue_of, with_clips
from speechzoo.audio import AudioClip
from speechzoo.channel import through
from speechzoo.dialogue import clips_of
from speechzoo.errors import ItemError, StoreError
from speechzoo.run.describe import digest
from speechzoo.run.files import write_whole
from speechzoo.run.plan import Asks
from speechzoo.run.progress import Progress
from speechzoo.run.request import Request
from speechzoo.run.speak import Spoken, speak
from speechzoo.weights import cache_folder


def heard_instead(asks: Asks, request: Request, progress: Progress) -> Asks:
    """The asks with every clip that is heard as the request wants it; unchanged if it wants them as they are.

    An item whose clip cannot be had so is a failure: without a transcript nobody knows the words that a
    voice should speak (``no_transcript``), a voice may fail, and silence has no level (``silent``).

    Raises:
        SetupError: the voice cannot be loaded.
        StoreError: what is made cannot be kept.
    """
    if not request.varied:
        return asks
    spoken = None
    if request.voice is not None:
        spoken = speak(request.voice, _words(asks), request.device, progress)
    made: dict[tuple[str, str | None, str | None], AudioClip] = {}

    def change(clip: AudioClip) -> AudioClip:
        # One recording may be asked about many times, and its words be told in several languages.
        name = clip.digest, clip.transcript, clip.language
        if name not in made:
            own = clip if spoken is None else _anew(clip, spoken)
            made[name] = _through(own, request)
            _ = made[name].header  # what a voice made is as unknown as any file
        return made[name]

    progress.stage("changing what is heard", len(asks), 0)
    changed = {}
    for key, ask in asks.items():
        changed[key] = _changed(ask, change)
        progress.advance(1)
    return changed


def _changed(ask: Ask | Failure, change: Callable[[AudioClip], AudioClip]) -> Ask | Failure:
    if isinstance(ask, Failure):
        return ask
    try:
        return with_clips(ask, change)
    except ItemError as error:
        return Failure(error.reason, error.detail)


def _through(clip: AudioClip, request: Request) -> AudioClip:
    """The clip as the request's channel makes it, from the disk if it was made before.

    Raises:
        ItemError: see `through`.
        StoreError: it cannot be kept.
    """
    if not str(request.channel):
        return clip
    name = digest([clip.digest, str(request.channel), request.seed, __version__])
    path = cache_folder() / "heard" / name[:2] / f"{name}.flac"
    if not path.exists():
        _keep(path, through(clip, request.channel, request.seed).encoded())
    return AudioClip.from_file(path, clip.transcript, clip.language)


def _keep(path: Path, encoded: bytes) -> None:
    """Runs at the same time may make the same clip."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.parent / "lock"):
            write_whole(path, encoded)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}") from error


def _words(asks: Asks) -> Iterator[str]:
    """What is said in the asks' clips, where that is known."""
    for ask in asks.values():
        if not isinstance(ask, Failure):
            yield from (clip.transcript for clip in clips_of(dialogue_of(ask)) if clip.transcript)


def _anew(clip: AudioClip, spoken: Spoken) -> AudioClip:
    """The clip's words by the voice.

    Raises:
        ItemError: nobody knows them, or they could not be spoken.
    """
    if not clip.transcript:
        raise ItemError("no_transcript", f"{clip.name}: its data set does not tell what is said in it")
    own = spoken[clip.transcript]
    if isinstance(own, Failure):
        raise ItemError(own.reason, own.detail)
    return AudioClip(own.data, clip.transcript, clip.language)
