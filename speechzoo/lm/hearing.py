"""Clips on their way into a language model: each distinct one is decoded and encoded once a call."""

from collections.abc import Iterable, Sequence

from torch import Tensor

from speechzoo.asks import Failure
from speechzoo.audio import AudioClip, Samples
from speechzoo.dialogue import Dialogue, clips_of
from speechzoo.errors import ItemError
from speechzoo.lm.batches import packed
from speechzoo.lm.causal import CausalLM, Heard


def hear(lm: CausalLM, dialogues: Iterable[Dialogue]) -> Heard:
    """Embeddings of all clips of the dialogues by digest; a bad clip is a `Failure` of its own."""
    clips: dict[str, AudioClip] = {}
    for clip in (clip for dialogue in dialogues for clip in clips_of(dialogue)):
        try:
            clips.setdefault(clip.digest, clip)
        except ItemError:
            continue  # Without a file there is no digest: whoever looks the clip up meets the error again.
    heard: dict[str, Tensor | Failure] = {}
    for batch in packed(clips, lambda _: 1, lm.clips_at_once):
        heard.update(zip(batch, _hear_together(lm, [clips[digest] for digest in batch]), strict=True))
    return heard


def _hear_together(lm: CausalLM, clips: list[AudioClip]) -> list[Tensor | Failure]:
    decoded = [_decoded(lm, clip) for clip in clips]
    waves = {index: wave for index, wave in enumerate(decoded) if not isinstance(wave, Failure)}
    embedded: Sequence[Tensor | Failure] = lm.embed_audio(list(waves.values())) if waves else ()
    found = dict(zip(waves, embedded, strict=True))
    results = [wave if isinstance(wave, Failure) else found[index] for index, wave in enumerate(decoded)]
    return [_audible(clip, result) for clip, result in zip(clips, results, strict=True)]


def _decoded(lm: CausalLM, clip: AudioClip) -> Samples | Failure:
    try:
        # Feature extractors cut what is beyond their window, without a word.
        if clip.seconds > lm.max_clip_seconds:
            return Failure(
                "too_long",
                f"{clip.name}: {clip.seconds:.1f} s, {lm.name} hears {lm.max_clip_seconds:g} s of a clip",
            )
        return clip.samples(lm.rate)
    except ItemError as error:
        return Failure(error.reason, error.detail)


def _audible(clip: AudioClip, embedded: Tensor | Failure) -> Tensor | Failure:
    """A clip that became no token at all would be answered as if it had not been there."""
    if isinstance(embedded, Failure) or len(embedded):
        return embedded
    return Failure("too_short", f"{clip.name}: its {clip.seconds:.3f} s do not make one audio token")
