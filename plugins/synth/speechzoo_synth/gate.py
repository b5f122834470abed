"""Texts spoken until a transcriber understands them: the gate that every clip passes or is flagged at."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from speechzoo import AudioClip, Failure, ItemError
from speechzoo.catalogue import Catalogue
from speechzoo.loading import Component
from speechzoo.run.listen import hear
from speechzoo.run.progress import Progress
from speechzoo.run.speak import speak
from speechzoo.wer import word_error_rate

from speechzoo_synth.reading import read_aloud

AS_IT_IS = "as it is"


@dataclass(frozen=True)
class Way:
    """One way in which a voice can say a text.

    Attributes:
        name: as reports call it.
        voice: with the settings of this way.
        pauses: a full stop in place of each comma, so that every clause is a sentence of its own.
        silence: seconds of it before and after; the first word of a clip is misheard most.
    """

    name: str
    voice: Component
    pauses: bool = False
    silence: float = 0.0

    def text(self, spoken: str) -> str:
        """What the voice is given; the words are those of the text."""
        return re.sub(r"[,;:](?= )", ".", spoken) if self.pauses else spoken

    def clip(self, spoken: AudioClip) -> AudioClip:
        """What the voice said, with the silence around it."""
        if not self.silence:
            return spoken
        rate = spoken.header.rate
        samples = np.pad(spoken.samples(), round(self.silence * rate))
        return AudioClip.from_samples(samples, rate, spoken.transcript)


@dataclass(frozen=True)
class Recording:
    """A text as it was understood best.

    Attributes:
        clip: the speech.
        way: how it was said.
        heard: by the transcriber.
        wer: word error rate of what was heard, both texts as they are read aloud.
        first_wer: of the first way, before anything was chosen; None if that could not be spoken or heard.
    """

    clip: AudioClip
    way: str
    heard: str
    wer: float
    first_wer: float | None


@dataclass(frozen=True)
class Gate:
    """Who listens, and what passes.

    Attributes:
        transcriber: listens to every clip.
        limit: the highest word error rate that passes.
        language: of the texts.
        device: of voices and transcriber.
        jobs: voices, and then transcribers, at work at the same time.
    """

    transcriber: Component
    limit: float
    language: str
    device: str
    jobs: int = 1

    def heard(self, clips: Sequence[AudioClip], progress: Progress) -> list[str | Failure]:
        """What is heard in each clip, in order, in the language of the texts.

        Raises:
            SetupError: the transcriber cannot be loaded.
            StoreError: what is heard cannot be kept.
        """
        told = [replace(clip, language=self.language) for clip in clips]
        return hear(self.transcriber, told, self.device, progress, self.jobs)

    def wer(self, spoken: str, heard: str) -> float:
        """Of what was heard, after the same rules by which the text was made fit for reading."""
        return word_error_rate(_one_word(spoken), _one_word(read_aloud(heard, self.language)))


def _one_word(spoken: str) -> str:
    """``U S A`` as a transcriber writes it."""
    return re.sub(r"(?<=\b[A-Z]) (?=[A-Z]\b)", "", spoken)


def ways_of(catalogue: Catalogue, voice: str) -> list[Way]:
    """As it is; with pauses around and within it, as any voice can; and what its parameters offer."""
    plain = catalogue.service(voice)

    def changed(name: str, parameter: str, factor: float) -> list[Way]:
        usual = plain.parameters.get(parameter)
        if not isinstance(usual, float):
            return []
        return [Way(name, catalogue.service(voice, {parameter: round(usual * factor, 4)}))]

    return [
        Way(AS_IT_IS, plain),
        Way("after a pause", plain, silence=0.3),
        *changed("slower", "speed", 0.85),
        Way("with more pauses", plain, pauses=True),
        *changed("lower", "pitch", 0.93),
    ]


def record(
    ways: Sequence[Way], texts: Sequence[str], gate: Gate, progress: Progress
) -> dict[str, Recording | Failure]:
    """Each text as the first way that passes the gate says it, else as it is understood best.

    A text is a failure only if no way of saying it could be spoken and heard.
    """
    first, *others = ways
    best = dict(_said(first, list(dict.fromkeys(texts)), gate, progress))
    for way in others:
        todo = [text for text, made in best.items() if not _passes(made, gate) and _is_new(way, text)]
        if todo:
            progress.say(f"{len(todo)} texts were not understood: {way.voice.name} says them {way.name}")
            made_again = _said(way, todo, gate, progress)
            best |= {text: _better(best[text], made_again[text]) for text in todo}
    return best


def _is_new(way: Way, text: str) -> bool:
    return not way.pauses or way.text(text) != text


def _passes(made: Recording | Failure, gate: Gate) -> bool:
    return isinstance(made, Recording) and made.wer <= gate.limit


def _better(before: Recording | Failure, made: Recording | Failure) -> Recording | Failure:
    if isinstance(before, Recording) and (isinstance(made, Failure) or made.wer >= before.wer):
        return before
    if isinstance(before, Recording) and isinstance(made, Recording):
        return replace(made, first_wer=before.first_wer)
    return made


def _said(
    way: Way, texts: Sequence[str], gate: Gate, progress: Progress
) -> Mapping[str, Recording | Failure]:
    spoken = speak(way.voice, map(way.text, texts), gate.device, progress, gate.jobs)
    made = {text: _clip(way, spoken[way.text(text)]) for text in texts}
    clips = [clip for clip in made.values() if isinstance(clip, AudioClip)]
    heard = iter(gate.heard(clips, progress))
    return {text: _recording(way, text, clip, heard, gate) for text, clip in made.items()}


def _clip(way: Way, spoken: AudioClip | Failure) -> AudioClip | Failure:
    try:
        return spoken if isinstance(spoken, Failure) else way.clip(spoken)
    except ItemError as error:
        return Failure(error.reason, error.detail)


def _recording(
    way: Way, text: str, clip: AudioClip | Failure, heard: Iterator[str | Failure], gate: Gate
) -> Recording | Failure:
    if isinstance(clip, Failure):
        return clip
    words = next(heard)
    if isinstance(words, Failure):
        return words
    wer = gate.wer(text, words)
    return Recording(clip, way.name, words, wer, wer if way.name == AS_IT_IS else None)
