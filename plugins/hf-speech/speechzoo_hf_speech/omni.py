"""Qwen's Omni models: a thinker that hears, reads and writes, and a talker that speaks what it wrote."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import StoppingCriteria, StoppingCriteriaList

from speechzoo import AudioClip, Failure, ItemError, ReplyAnswer, ReplyAsk, Setup
from speechzoo.asks import ask_digest
from speechzoo.audio import Samples
from speechzoo.dialogue import Dialogue, clips_of
from speechzoo.errors import SetupError
from speechzoo_hf_speech.native import BodyLM, SpeechLLM

SPEECH_RATE = 24_000


class OmniLM(BodyLM):
    """The thinker; texts and clips have one position a token, as audio without video has."""

    @property
    def body(self) -> Any:
        return self.model.thinker

    @property
    def max_positions(self) -> int:
        return int(self.body.config.text_config.max_position_embeddings)

    def features(self, wave: Samples) -> Mapping[str, Tensor]:
        """A log-mel spectrogram, [1, mel, frames], and that all frames are real, [1, frames]."""
        made = self.extractor(
            wave,
            sampling_rate=self.rate,
            padding="longest",
            truncation=False,
            return_attention_mask=True,
            return_tensors="pt",
        )
        return {"input_features": made.input_features, "feature_attention_mask": made.attention_mask}

    def embed_clip(self, **features: Tensor) -> Tensor:
        heard: Tensor = self.body.get_audio_features(**features).last_hidden_state
        return heard

    def whole_input(self, dialogue: Dialogue) -> dict[str, Tensor]:
        """What the model's own ``generate`` takes: ids with a placeholder for each audio token, features."""
        heard = [self.features(clip.samples(self.rate)) for clip in clips_of(dialogue)]
        tokens = iter([len(clip) for clip in self.embed_audio(heard)])
        around = len(self.ids(self.before + self.after))
        texts = [
            part
            if isinstance(part, str)
            else self.before + self.audio_token * (next(tokens) - around) + self.after
            for part in self.chat_parts(dialogue)
        ]
        ids = torch.tensor([self.ids("".join(texts))], device=self.device)
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids), **self._stacked(heard)}

    def _stacked(self, heard: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
        if not heard:
            return {}
        mel = pad_sequence([one["input_features"][0].T for one in heard], batch_first=True)
        mask = pad_sequence([one["feature_attention_mask"][0] for one in heard], batch_first=True)
        return {
            "input_features": self._placed(mel.transpose(1, 2)),
            "feature_attention_mask": self._placed(mask),
        }


class Omni(SpeechLLM):
    """An Omni model; a spoken reply's text is the likeliest, its speech is drawn with a seed of its own."""

    lm_class: ClassVar[type[OmniLM]]
    _lm: OmniLM

    def __init__(
        self, setup: Setup, speaker: str, max_speech_tokens: int = 4096, token_budget: int = 0
    ) -> None:
        super().__init__(setup, token_budget=token_budget)
        if speaker not in self.speakers:
            raise SetupError(f"{setup.name} has no speaker {speaker!r}, it has {', '.join(self.speakers)}")
        self._speaker = speaker
        self._max_speech_tokens = max_speech_tokens

    @property
    def model(self) -> Any:
        """Thinker, talker and vocoder."""
        return self._lm.model

    @property
    def speakers(self) -> list[str]:
        raise NotImplementedError

    def options(self) -> dict[str, Any]:
        """More of what ``generate`` takes."""
        return {}

    def reply(self, asks: Sequence[ReplyAsk]) -> list[ReplyAnswer | Failure]:
        return [
            self._spoken(ask, text) if ask.speech and isinstance(text, ReplyAnswer) else text
            for ask, text in zip(asks, super().reply(asks), strict=True)
        ]

    @torch.inference_mode()
    def _spoken(self, ask: ReplyAsk, text: ReplyAnswer) -> ReplyAnswer | Failure:
        if not text.text:
            return Failure("nothing_to_say", "the reply is empty")
        steps = _Steps()
        with torch.random.fork_rng():
            torch.manual_seed(int(ask_digest(ask)[:15], 16) + self._seed)
            _, speech = self.model.generate(
                **self._lm.whole_input(ask.dialogue),
                speaker=self._speaker,
                # The talker begins with the second token.
                thinker_max_new_tokens=max(2, ask.max_tokens),
                thinker_do_sample=False,
                thinker_eos_token_id=self._lm.end_ids,
                thinker_pad_token_id=self._lm.end_ids[0],
                talker_max_new_tokens=self._max_speech_tokens,
                talker_stopping_criteria=StoppingCriteriaList([steps]),
                **self.options(),
            )
        samples = speech.float().reshape(-1).cpu().numpy()
        try:
            # Read at once: speech that ended after a syllable is no clip.
            clip = AudioClip.from_samples(samples, SPEECH_RATE)
            clip.samples()
        except ItemError as error:
            return Failure(error.reason, error.detail)
        cut = steps.taken >= self._max_speech_tokens
        return replace(text, clip=clip, truncated=text.truncated or cut)


class _Steps(StoppingCriteria):
    """Stops nothing: counts the talker's steps, which nothing else tells."""

    taken = 0

    def __call__(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:
        self.taken += 1
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)
