"""How well a recogniser understands what a run's items have to be heard: a measure of the clips alone.

A clip is transcribed once ever in a language: what was heard is kept beside the fetched files, by the clip's
digest and the language it is said to be of.
"""

from collections.abc import Mapping, Sequence
from typing import cast

from filelock import FileLock
from pydantic import BaseModel, ConfigDict

from speechzoo.asks import Failure, dialogue_of, spoken_text
from speechzoo.audio import AudioClip
from speechzoo.dialogue import clips_of_others
from speechzoo.errors import StoreError
from speechzoo.loading import Component
from speechzoo.run.describe import digest
from speechzoo.run.jobs import in_batches, served, tell_failures
from speechzoo.run.plan import Plan
from speechzoo.run.progress import Progress
from speechzoo.run.records import TranscriptRecord
from speechzoo.run.store import AppendFile, read_lines
from speechzoo.run.wire import writable
from speechzoo.weights import cache_folder
from speechzoo.wer import word_error_rate

CLIPS_A_CALL = 16


class CachedTranscript(BaseModel):
    """A line of the cache: what was heard in the clip of this name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    clip: str
    text: str


def listen(component: Component, device: str, plan: Plan, progress: Progress) -> list[TranscriptRecord]:
    """What the transcriber hears in every planned item whose data set tells what is said.

    Args:
        component: the transcriber.
        device: where it runs.
        plan: whose clips are heard, those of an item's first condition with speech in.
        progress: is told how far it is, and how many clips failed.

    Raises:
        SetupError: the transcriber cannot be loaded.
        StoreError: the cache cannot be written, or is damaged.
    """
    spoken = _spoken(plan)
    heard = iter(hear(component, [clip for own, _ in spoken.values() for clip in own], device, progress))
    return [_record(item, [next(heard) for _ in own], said) for item, (own, said) in spoken.items()]


def hear(
    component: Component, clips: Sequence[AudioClip], device: str, progress: Progress, jobs: int = 1
) -> list[str | Failure]:
    """What the transcriber hears in each clip, in order. It is loaded only if one is new.

    Args:
        component: the transcriber.
        clips: equal ones that are said to be of one language are heard once.
        device: where it runs.
        progress: is told how far it is, and how many clips failed.
        jobs: processes with a transcriber each; see `jobs.served`.

    Raises:
        ItemError: a clip's file cannot be read.
        SetupError: the transcriber cannot be loaded.
        StoreError: the cache cannot be written, or is damaged.
        SpeechzooError: one of several processes died.
    """
    wanted = {_name(clip): clip for clip in clips}
    cache = TranscriptCache(component, device)
    heard: dict[str, str | Failure] = {**cache.read()}
    todo = [clip for name, clip in wanted.items() if name not in heard]
    progress.stage(f"listening ({component.name})", len(wanted), len(wanted) - len(todo))
    batches = in_batches(todo, CLIPS_A_CALL)
    for batch, texts in zip(batches, served(component, "transcribe", batches, device, jobs), strict=True):
        new = {_name(clip): _checked(text) for clip, text in zip(batch, texts, strict=True)}
        cache.add({name: text for name, text in new.items() if isinstance(text, str)})
        heard |= new
        progress.advance(len(batch))
    tell_failures((heard[name] for name in wanted), "clips could not be transcribed", progress)
    return [heard[_name(clip)] for clip in clips]


def _name(clip: AudioClip) -> str:
    """Its digest, and its language if it tells one: in another language something else is heard in it."""
    return f"{clip.digest}:{clip.language}" if clip.language else clip.digest


class TranscriptCache:
    """What one transcriber on one kind of device heard; runs at the same time may share it.

    Failures are not kept: another machine, or another try, may do better.
    """

    def __init__(self, component: Component, device: str) -> None:
        name = digest([component.identity(), device.partition(":")[0]])[:32]
        self.path = cache_folder() / "transcripts" / f"{name}.jsonl"

    def read(self) -> dict[str, str]:
        """Texts by the names of their clips."""
        return {record.clip: record.text for record in read_lines(self.path, CachedTranscript)}

    def add(self, heard: Mapping[str, str]) -> None:
        """Keeps texts; they are on disk when this returns."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Not for longer: two runs that listen at once need not wait for each other.
            with FileLock(self.path.with_suffix(".lock")):
                file = AppendFile(self.path)
                try:
                    file.append([CachedTranscript(clip=clip, text=text) for clip, text in heard.items()])
                finally:
                    file.close()
        except OSError as error:
            raise StoreError(f"{self.path} cannot be written: {error.strerror}") from error


def _spoken(plan: Plan) -> dict[str, tuple[tuple[AudioClip, ...], str]]:
    """By item: the clips that are heard, and what is said in them."""
    spoken: dict[str, tuple[tuple[AudioClip, ...], str]] = {}
    for work in plan.works:
        key = work.key
        if key.role != "model" or key.variant or not key.condition.speech_in or key.item in spoken:
            continue
        if (said := spoken_text(work.ask)) is not None:
            spoken[key.item] = clips_of_others(dialogue_of(work.ask)), said
    return spoken


def _checked(text: object) -> str | Failure:
    if isinstance(text, str):
        return writable(text)
    return text if isinstance(text, Failure) else Failure("wrong_answer_shape", f"no text but {text!r}")


def _record(item: str, heard: Sequence[str | Failure], said: str) -> TranscriptRecord:
    if failure := next((one for one in heard if isinstance(one, Failure)), None):
        return TranscriptRecord(item=item, failure=failure.reason, failure_detail=writable(failure.detail))
    text = " ".join(cast(Sequence[str], heard))
    return TranscriptRecord(item=item, text=text, wer=word_error_rate(said, text))
