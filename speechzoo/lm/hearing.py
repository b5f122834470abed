"""Clips on their way into a language model: each distinct one is decoded and encoded once a call.

While the device encodes one batch of clips, threads decode the next.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

from torch import Tensor

from speechzoo.asks import Failure
from speechzoo.audio import AudioClip, Samples
from speechzoo.dialogue import Dialogue, clips_of
from speechzoo.errors import ItemError
from speechzoo.lm.batches import in_batches
from speechzoo.lm.causal import CausalLM, Heard

# A clip of 13 s takes 30 ms to decode and make a spectrogram of, and a big GPU 14 ms for all the rest.
_THREADS = 4

T = TypeVar("T")
R = TypeVar("R")
Tokens = TypeVar("Tokens", Tensor, list[int])


def hear(lm: CausalLM, dialogues: Iterable[Dialogue]) -> Heard:
    """Embeddings of all clips of the dialogues by digest; a bad clip is a `Failure` of its own."""
    clips = (clip for dialogue in dialogues for clip in clips_of(dialogue))
    return _by_digest(lm, clips, lm.features, lm.embed_audio)


def spoken_ids(lm: CausalLM, clips: Iterable[AudioClip]) -> dict[str, list[int] | Failure]:
    """Token ids of clips that are to be scored, by digest; a bad clip is a `Failure` of its own."""
    return _by_digest(lm, clips, lambda wave: wave, lm.audio_ids)


def _by_digest(
    lm: CausalLM,
    clips: Iterable[AudioClip],
    prepare: Callable[[Samples], Any],
    tokens_of: Callable[[Sequence[Any]], Sequence[Tokens | Failure]],
) -> dict[str, Tokens | Failure]:
    distinct = _distinct(clips)
    found: dict[str, Tokens | Failure] = {}

    def prepared() -> Iterator[tuple[str, Any]]:
        ready = _ahead(lambda clip: _prepared(lm, clip, prepare), distinct.values(), lm.clips_at_once)
        for digest, result in zip(distinct, ready, strict=True):
            if isinstance(result, Failure):
                found[digest] = result
            else:
                yield digest, result

    for (digest, _), tokens in in_batches(
        prepared(),
        lambda _: 1,
        lm.clips_at_once,
        lm.clip_room,
        lambda batch: tokens_of([result for _, result in batch]),
    ):
        found[digest] = _checked(distinct[digest], tokens)
    return found


def _distinct(clips: Iterable[AudioClip]) -> dict[str, AudioClip]:
    distinct: dict[str, AudioClip] = {}
    for clip in clips:
        try:
            distinct.setdefault(clip.digest, clip)
        except ItemError:
            continue  # Without a file there is no digest: whoever looks the clip up meets the error again.
    return distinct


def _ahead(work: Callable[[T], R], items: Iterable[T], most: int) -> Iterator[R]:
    """Results in order; threads work on those to come, at most so many, as each holds its memory."""
    rest = iter(items)
    with ThreadPoolExecutor(_THREADS) as threads:
        waiting = deque(threads.submit(work, item) for item in islice(rest, most))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(threads.submit(work, item) for item in islice(rest, 1))
            yield result


def _prepared(lm: CausalLM, clip: AudioClip, prepare: Callable[[Samples], Any]) -> Any | Failure:
    try:
        # Feature extractors cut what is beyond their window, without a word.
        if clip.seconds > lm.max_clip_seconds:
            return Failure(
                "too_long",
                f"{clip.name}: {clip.seconds:.1f} s, {lm.name} hears {lm.max_clip_seconds:g} s of a clip",
            )
        return prepare(clip.samples(lm.rate))
    except ItemError as error:
        return Failure(error.reason, error.detail)


def _checked(clip: AudioClip, tokens: Tokens | Failure | None) -> Tokens | Failure:
    if tokens is None:
        return Failure("out_of_memory", f"{clip.name}: its {clip.seconds:.1f} s do not fit the memory alone")
    # A clip that became no token at all would be answered as if it had not been there.
    if isinstance(tokens, Failure) or len(tokens):
        return tokens
    return Failure("too_short", f"{clip.name}: its {clip.seconds:.3f} s do not make one audio token")
