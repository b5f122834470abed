"""Kimi-Audio as speechzoo's runner asks it, one ask at a time: its package takes no batch."""

from collections.abc import Sequence
from typing import Any

import torch

from speechzoo import AudioClip, Failure, ItemError, ReplyAnswer, ReplyAsk, ScoreAnswer, ScoreAsk, Setup
from speechzoo.asks import ask_digest
from speechzoo_kimi_audio import package, scores
from speechzoo_kimi_audio.messages import messages

RATE = 24_000


class KimiAudioModel:
    """Scores texts, writes and speaks.

    Args:
        setup: its folder holds a published checkpoint, and ``glm-4-voice-tokenizer`` in a sub-folder.
        code: the authors' repository, where its package is not installed.
        text_temperature: 0 takes the likeliest token.
        audio_temperature: of speech.
        audio_top_k: of speech.
        detokenizer: loads what makes speech of audio tokens.

    Raises:
        SetupError: as of `package.load`.
    """

    def __init__(
        self,
        setup: Setup,
        code: str = "",
        text_temperature: float = 0.0,
        audio_temperature: float = 0.8,
        audio_top_k: int = 10,
        detokenizer: bool = True,
    ) -> None:
        self._model = package.load(setup, code, detokenizer)
        self._sampling = {
            "text_temperature": text_temperature,
            "audio_temperature": audio_temperature,
            "audio_top_k": audio_top_k,
        }
        self._speaks = detokenizer
        self._seed = setup.seed
        # Nothing else tells whether a reply came to its end.
        self._loop, self._model._generate_loop = self._model._generate_loop, self._watched
        self._made: tuple[list[int], list[int]] = ([], [])

    def score(self, asks: Sequence[ScoreAsk]) -> list[ScoreAnswer | Failure]:
        return [scores.score(self._model, ask, scores.in_one_pass) for ask in asks]

    def score_plainly(self, ask: ScoreAsk) -> ScoreAnswer | Failure:
        """As the authors' loop goes, a token at a time, to test `score` against."""
        return scores.score(self._model, ask, scores.step_by_step)

    def reply(self, asks: Sequence[ReplyAsk]) -> list[ReplyAnswer | Failure]:
        return [self._reply(ask) for ask in asks]

    def close(self) -> None:
        del self._model, self._loop

    def _reply(self, ask: ReplyAsk) -> ReplyAnswer | Failure:
        if ask.speech and not self._speaks:
            return Failure("no_speech", "the detokenizer is not loaded: leave --set detokenizer=false out")
        limits: dict[str, Any] = (
            {"output_type": "both"}
            if ask.speech
            else {"output_type": "text", "max_new_tokens": ask.max_tokens}
        )
        try:
            with messages(ask.dialogue) as told, torch.random.fork_rng():
                # Torch takes 64 bits; adding the seed to the digest keeps different seeds different.
                torch.manual_seed((int(ask_digest(ask)[:15], 16) + self._seed) % 2**63)
                speech, text = self._model.generate(told, **self._sampling, **limits)
            spoken, written = self._made
            if not ask.speech:
                return ReplyAnswer(text.strip(), truncated=len(written) >= ask.max_tokens)
            # Read at once: speech that ended after a syllable is no clip.
            clip = AudioClip.from_samples(speech.float().reshape(-1).cpu().numpy(), RATE)
            clip.samples()
        except ItemError as error:
            return Failure(error.reason, error.detail)
        return ReplyAnswer(text.strip(), clip, truncated=spoken[-1] not in self._model.eod_ids)

    def _watched(self, **inputs: Any) -> tuple[list[int], list[int]]:
        """The package's own loop: audio tokens and text tokens, the text's end token not among them.

        Raises:
            ItemError: the prompt leaves no room for a reply, or a reply that is to be spoken has no speech.
        """
        if inputs["max_new_tokens"] < 1:
            told = inputs["audio_input_ids"].shape[1]
            raise ItemError("too_long", f"{told} prompt tokens leave no room for a reply")
        self._made = spoken, _ = self._loop(**inputs)
        if inputs["output_type"] == "both" and not any(
            one >= self._model.kimia_token_offset for one in spoken
        ):
            raise ItemError("no_speech", "the reply has no audio tokens")
        return self._made
