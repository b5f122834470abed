"""What models are asked by the checks: short texts, and three sentences that were really spoken."""

import io
from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np
import soundfile

from speechzoo.asks import Ask, ReplyAsk, ScoreAsk, dialogue_of
from speechzoo.audio import AudioClip, Samples, silence
from speechzoo.dialogue import Part, assistant, clips_of, raw, user
from speechzoo.specs import Capability

RATE = 16_000
REPLY_TOKENS = 12
# Long enough for a small difference in what was heard to become one in what is said.
LONG_REPLY_TOKENS = 64

_FOLDER = Path(__file__).parent / "clips"
HARBOUR = AudioClip.from_file(
    _FOLDER / "harbour.opus", transcript="The old ferry left the harbour before sunrise."
)
VIOLIN = AudioClip.from_file(
    _FOLDER / "violin.opus", transcript="My sister plays the violin in a small orchestra."
)
GARDEN = AudioClip.from_file(
    _FOLDER / "garden.opus", transcript="Seven red apples fell into the frozen garden."
)

SHORT = "Look:"
MIDDLE = "The old man walked along the shore and saw that the"
LONG = (
    "Yesterday the children found a box under the stairs. It was heavy and nobody had the key, so they "
    "carried it to their aunt, who knew at once what it was and"
)
# Words of the clips, so that a model that hears them cannot help changing its mind.
ENDINGS = (" the old harbour", " plays the violin in a small room.", " red apples in the garden")
QUESTION = "What do you see from your window?"
LONG_QUESTION = f"{LONG} opened it. What do you think was in the box?"


def noise(seconds: float) -> AudioClip:
    """Noise that swells and fades, 16 kHz: for equal lengths the same, for others other noise."""
    samples = round(seconds * RATE)
    swell = np.abs(np.sin(np.arange(samples) / 3000))
    draws = np.random.default_rng(samples).standard_normal(samples)
    return AudioClip.from_samples((0.2 * draws * swell).astype("f4"), RATE)


def score(*context: Part, endings: tuple[Part, ...] = ENDINGS, chat: bool = False) -> ScoreAsk:
    return ScoreAsk(raw(*context), endings, chat)


def reply(*parts: Part, speech: bool = False) -> ReplyAsk:
    return ReplyAsk((user(*parts),), speech, REPLY_TOKENS)


def conversation(first: Part, last: Part = "What did I just say?", speech: bool = False) -> ReplyAsk:
    """Two turns of a user, the second of which means nothing without the first."""
    turns = (user(first), assistant("I will remember that."), user(last))
    return ReplyAsk(turns, speech, REPLY_TOKENS)


def of_every_kind(can: Callable[..., bool]) -> list[Ask]:
    """In an order where text follows audio and short follows long: that is where state shows."""
    heard, read = can(Capability.SCORE_UNDER_AUDIO), can(Capability.SCORE_UNDER_TEXT)
    listens = can(Capability.AUDIO_IN)
    asks: list[Ask] = []
    asks += [score(SHORT)] * read + [score(HARBOUR)] * heard
    asks += [score(LONG)] * read
    asks += [score(LONG, VIOLIN, MIDDLE)] * (heard and can(Capability.TEXT_IN)) + [score(GARDEN)] * heard
    asks += [score(MIDDLE)] * read
    given = [QUESTION, LONG_QUESTION] * can(Capability.TEXT_IN) + [HARBOUR] * listens
    # Of one that does nothing but listen and reply there would be a single question.
    given += [VIOLIN] * (listens and not can(Capability.TEXT_IN))
    asks += [reply(part) for part in given if can(Capability.TEXT_OUT)]
    asks += [reply(part, speech=True) for part in given[:1] if can(Capability.SPEECH_OUT)]
    return asks


def for_capability(capability: Capability, declared: Collection[Capability]) -> Ask | str:
    """An ask that only a model with this capability can answer, or why there can be none."""
    hears = Capability.AUDIO_IN in declared
    part: Part = QUESTION if Capability.TEXT_IN in declared else HARBOUR
    if part is HARBOUR and not hears:
        return "neither text-in nor audio-in is declared"
    asks: dict[Capability, Ask] = {
        Capability.SCORE_UNDER_TEXT: score(MIDDLE),
        Capability.SCORE_UNDER_AUDIO: score(HARBOUR),
        Capability.SCORE_SPEECH: score(HARBOUR if hears else MIDDLE, endings=(VIOLIN,)),
        Capability.TEXT_OUT: reply(part),
        Capability.SPEECH_OUT: reply(part, speech=True),
        Capability.MULTI_TURN: conversation(part, speech=Capability.TEXT_OUT not in declared),
        Capability.TEXT_IN: _least(MIDDLE, declared),
        Capability.AUDIO_IN: _least(HARBOUR, declared),
    }
    return asks[capability]


def _least(part: Part, declared: Collection[Capability]) -> Ask:
    """The simplest way to have it read or listen."""
    under = Capability.SCORE_UNDER_TEXT if isinstance(part, str) else Capability.SCORE_UNDER_AUDIO
    if under in declared:
        return score(part)
    return reply(part, speech=Capability.TEXT_OUT not in declared)


def samples(clip: AudioClip) -> Samples:
    return clip.samples(RATE)


def joined(*clips: AudioClip) -> AudioClip:
    """One clip of several, one after the other."""
    return AudioClip.from_samples(np.concatenate([samples(clip) for clip in clips]), RATE)


def wav(waves: Samples, rate: int) -> AudioClip:
    """Samples, [n] or [n, channels], as a WAV file in memory, whatever is in them."""
    buffer = io.BytesIO()
    soundfile.write(buffer, waves, rate, format="WAV", subtype="PCM_16")
    return AudioClip.from_bytes(buffer.getvalue())


def of_one_length() -> list[AudioClip]:
    """The three sentences, cut to the shortest and followed by half a second of silence.

    Who hears nothing may still tell how long a clip is; who hears a window of its end alone, how it ends.
    """
    waves = [samples(clip) for clip in (HARBOUR, VIOLIN, GARDEN)]
    shortest, pause = min(map(len, waves)), np.zeros(RATE // 2, np.float32)
    return [AudioClip.from_samples(np.concatenate([wave[:shortest], pause]), RATE) for wave in waves]


def touched(clip: AudioClip) -> AudioClip:
    """The same clip to any ear: one sample is changed, by one step of 16 bits."""
    wave = samples(clip).copy()
    wave[len(wave) // 2] += np.float32(2**-15)
    return AudioClip.from_samples(wave, RATE)


def quiet() -> AudioClip:
    return silence(HARBOUR.seconds)


def hears(ask: Ask) -> bool:
    return bool(clips_of(dialogue_of(ask)))
