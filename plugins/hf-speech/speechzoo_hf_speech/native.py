"""What the speech LLMs of transformers have in common: files, windows, chat templates and answers."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import torch
from torch import Tensor
from torch.nn import Module
from transformers import WhisperFeatureExtractor
from transformers.cache_utils import Cache

from speechzoo import Failure, ReplyAnswer, ReplyAsk, ScoreAnswer, ScoreAsk, Setup, lm
from speechzoo.audio import Samples
from speechzoo.errors import SetupError


class NativeLM(lm.CausalLM):
    """A speech LLM whose folder holds a feature extractor beside config, weights and tokenizer.

    Attributes:
        extractor_class: of transformers, for the extractor.
        audio_token: what the chat template writes for a clip; "" if it takes no blocks but plain texts.
        before: special tokens that the model has before every clip, as text; they belong to the clip.
        after: the same after it.
        windows: of a clip that are heard, each as long as the extractor says.
        extractor: makes what the model hears of samples.
    """

    extractor_class: ClassVar[Any] = WhisperFeatureExtractor
    audio_token: ClassVar[str] = ""
    before: ClassVar[str] = ""
    after: ClassVar[str] = ""
    windows: ClassVar[int] = 1
    extractor: Any

    @classmethod
    def load(cls, setup: Setup) -> Self:
        """As the base does, and with the extractor and the processor's chat template.

        Raises:
            SetupError: the folder is not a checkpoint, its tokenizer lacks the model's tokens, its
                extractor is for another rate; or as of the base.
        """
        loaded, folder = super().load(setup), setup.files()
        for token in filter(None, (cls.before, cls.after)):
            if len(loaded.ids(token)) != 1:
                raise SetupError(f"{setup.name}: the tokenizer of {folder} has no token {token}")
        loaded.extractor = cls.load_extractor(folder)
        loaded.max_clip_seconds = loaded.longest()
        loaded.tokenizer.chat_template = cls.chat_template(folder) or loaded.tokenizer.chat_template
        return loaded

    @property
    def audio_text(self) -> str:
        return self.before + self.audio_token + self.after if self.audio_token else ""

    @classmethod
    def load_extractor(cls, folder: Path) -> Any:
        extractor = cls.extractor_class.from_pretrained(folder, local_files_only=True)
        if extractor.sampling_rate != cls.rate:
            raise SetupError(
                f"{folder}: its feature extractor is for {extractor.sampling_rate} Hz, not {cls.rate} Hz"
            )
        return extractor

    def longest(self) -> float:
        """Seconds of a clip that are heard: extractors cut what is beyond, without a word."""
        return float(self.windows * self.extractor.chunk_length)

    @classmethod
    def chat_template(cls, folder: Path) -> str | None:
        """The processor's own, where older checkpoints keep it apart from the tokenizer's."""
        file = folder / "chat_template.json"
        return str(json.loads(file.read_text(encoding="utf-8"))["chat_template"]) if file.exists() else None

    def features(self, wave: Samples) -> Mapping[str, Tensor]:
        """A log-mel spectrogram, [windows, mel, frames], and which frames are real, [windows, frames]."""
        size = self.extractor.chunk_length * self.rate
        made = self.extractor(
            [wave[start : start + size] for start in range(0, len(wave), size)],
            sampling_rate=self.rate,
            return_attention_mask=True,
            return_tensors="pt",
        )
        return {"input_features": made.input_features, "input_features_mask": made.attention_mask}

    def embed_audio(self, features: Sequence[Mapping[str, Tensor]]) -> list[Tensor]:
        # A window of 30 s keeps a GPU busy by itself: clips side by side would bring nothing.
        start, end = self.embed_text(self.before), self.embed_text(self.after)
        heard = [
            self.embed_clip(**{name: self._placed(made) for name, made in one.items()}).to(self.device)
            for one in features
        ]
        return [torch.cat([start, clip, end]) if len(clip) else clip for clip in heard]

    def embed_clip(self, **features: Tensor) -> Tensor:
        """What the model puts in place of its audio tokens, [tokens, hidden]."""
        model: Any = self.model
        return cast(Tensor, model.get_audio_features(**features).pooler_output)

    def _placed(self, made: Tensor) -> Tensor:
        return made.to(self.device, self.model.dtype if made.is_floating_point() else None)


class BodyLM(NativeLM):
    """One whose own forward pass gives logits of whole contexts, whatever is asked for."""

    @property
    def body(self) -> Any:
        """Has a ``model`` and its ``lm_head``."""
        return self.model

    @property
    def input_embeddings(self) -> Module:
        return cast(Module, self.body.get_input_embeddings())

    def logits(
        self, embeddings: Tensor, mask: Tensor | None, positions: Tensor, cache: Cache | None, last: int = 0
    ) -> tuple[Tensor, Cache]:
        output = self.body.model(
            inputs_embeds=embeddings,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
        )
        logits = self.body.lm_head(output.last_hidden_state[:, -last:])
        return logits.to(embeddings.device), output.past_key_values


class SpeechLLM:
    """A model made of a `NativeLM`, which subclasses name.

    Raises:
        SetupError: as of `NativeLM.load`; when a reply or a chat score is asked, also: the checkpoint has
            no chat template.
    """

    lm_class: ClassVar[type[NativeLM]]

    def __init__(self, setup: Setup, temperature: float = 0.0, token_budget: int = 0) -> None:
        self._lm = self.lm_class.load(setup)
        self._temperature = temperature
        self._token_budget = token_budget or lm.default_token_budget(self._lm.device)
        self._seed = setup.seed

    def score(self, asks: Sequence[ScoreAsk]) -> list[ScoreAnswer | Failure]:
        return lm.score(self._lm, asks, self._token_budget)

    def score_plainly(self, ask: ScoreAsk) -> ScoreAnswer | Failure:
        """The slow and obvious way."""
        return lm.score_plainly(self._lm, ask)

    def reply(self, asks: Sequence[ReplyAsk]) -> list[ReplyAnswer | Failure]:
        return lm.reply(self._lm, asks, self._token_budget, self._temperature, self._seed)

    def close(self) -> None:
        self._lm.close()
