"""A causal language model of Hugging Face, fed with embeddings so that text and audio look the same."""

import math
import sys
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any, ClassVar, Self, TypeVar, cast

import torch
from torch import Tensor
from torch.nn import Module
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase
from transformers.cache_utils import Cache

from speechzoo.asks import Failure
from speechzoo.audio import Samples
from speechzoo.dialogue import Dialogue, Message, Part, clips_of, parts_of
from speechzoo.errors import ItemError, SetupError
from speechzoo.lm.batches import Room
from speechzoo.lm.loading import load_model, load_tokenizer
from speechzoo.setup import Setup

_CLIP_MARK = "<|speechzoo clip|>"

T = TypeVar("T")

Heard = Mapping[str, Tensor | Failure]
"""Embeddings of clips, [tokens, hidden], or why there are none, by the clip's digest."""


class CausalLM:
    """A text LLM; a speech LLM is a subclass with its own `embed_audio`, and `features` before it.

    A model whose own ``forward`` takes audio features fits as well: what it puts in place of its
    audio tokens, the output of its audio encoder and projector, is what `embed_audio` returns.

    Attributes:
        model_class: of transformers, for `load`; a speech LLM names its own here.
        tokenizer_options: for `load`: more of what the tokenizer's ``from_pretrained`` takes.
        rate: of the samples that `features` and `audio_ids` are given, in Hz.
        max_clip_seconds: longer clips fail with ``too_long``; nothing is ever cut. A subclass names it, or
            sets it at `load` where it stands in the checkpoint.
        clips_at_once: most clips of one call of `embed_audio` or `audio_ids`, and most whose features
            wait for the next.

    Args:
        model: takes ``inputs_embeds``, ``attention_mask``, ``position_ids``, ``past_key_values`` and
            ``logits_to_keep``, as every ``...ForCausalLM`` of transformers 5 does. Override `logits`
            for a model that does not, or that ignores ``logits_to_keep`` and fills the memory with
            logits of whole contexts nobody asked for (Qwen2-Audio).
        tokenizer: of the text.
        name: how messages call the model.
    """

    model_class: ClassVar[Any] = AutoModelForCausalLM
    tokenizer_options: ClassVar[Mapping[str, Any]] = {}
    rate: ClassVar[int] = 16_000
    max_clip_seconds: float = math.inf
    clips_at_once: ClassVar[int] = 8

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, name: str) -> None:
        model.train(False)
        self.model = model
        self.tokenizer = tokenizer
        self.name = name
        self.end_ids = _end_ids(model, tokenizer)
        self.token_room = Room("tokens")
        self.clip_room = Room("clips")

    @classmethod
    def load(cls, setup: Setup) -> Self:
        """From a folder with config.json, safetensors and tokenizer; no network.

        Raises:
            SetupError: the folder is not a checkpoint; or as of `speechzoo.lm.load_model`.
        """
        folder = setup.files()
        if not (folder / "config.json").is_file():
            raise SetupError(f"{setup.name}: {folder} has no config.json; is it a transformers checkpoint?")
        model = load_model(folder, setup, cls.model_class)
        return cls(model, load_tokenizer(folder, setup, **cls.tokenizer_options), setup.name)

    @property
    def input_embeddings(self) -> Module:
        """From token ids to embeddings; override it for a model whose LLM is a part of it."""
        return self.model.get_input_embeddings()

    @property
    def device(self) -> torch.device:
        """Where what is fed in has to be: a model that is spread over several cards begins on this one."""
        return cast(Tensor, self.input_embeddings.weight).device

    @property
    def audio_text(self) -> str:
        """What the chat template writes for a block of audio; "" if it takes no blocks but plain texts."""
        return ""

    @property
    def max_positions(self) -> int:
        """Tokens that context and continuation may have together."""
        limit = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        return sys.maxsize if limit is None else int(limit)

    def ids(self, text: str) -> list[int]:
        """Tokens of a text by itself, nothing added before or after."""
        return cast(list[int], self.tokenizer.encode(text, add_special_tokens=False))

    def embed(self, ids: Tensor) -> Tensor:
        """Input embeddings, [..., hidden], of token ids, [...]."""
        return cast(Tensor, self.input_embeddings(ids))

    def embed_text(self, text: str) -> Tensor:
        """Input embeddings of a text by itself, [tokens, hidden]."""
        return self._embed_ids(self.ids(text))

    def features(self, wave: Samples) -> Any:
        """What `embed_audio` takes of one clip: the CPU's part of the work, such as a spectrogram.

        Threads call it for several clips at a time. What a clip becomes must not depend on the others.

        Args:
            wave: mono samples at `rate`, [n] and no longer than `max_clip_seconds`.

        Raises:
            ItemError: the clip cannot be understood.
        """
        return wave

    def embed_audio(self, features: Sequence[Any]) -> Sequence[Tensor | Failure]:
        """Input embeddings of several clips, each [tokens, hidden], in their order.

        Whatever tokens must stand around a clip belong to it. A clip that cannot be understood is a
        `Failure`. What a clip becomes must not depend on the others.

        Args:
            features: of each clip, as `features` returned them.
        """
        return [Failure("audio_not_supported", f"{self.name} reads text only")] * len(features)

    def audio_ids(self, waves: Sequence[Samples]) -> Sequence[list[int] | Failure]:
        """Several clips as the model's own audio tokens, ids of its vocabulary: how a clip is scored.

        A clip that cannot be tokenized is a `Failure`. What a clip becomes must not depend on the others.

        Args:
            waves: mono samples at `rate`, each [n] and no longer than `max_clip_seconds`.
        """
        return [Failure("speech_not_scored", f"{self.name} has no audio tokens to score")] * len(waves)

    def embed_context(self, dialogue: Dialogue, chat: bool, heard: Heard) -> Tensor:
        """Input embeddings of a context, [tokens, hidden], with its clips as they were heard.

        Every text part is tokenized apart from its neighbours. A context without tokens becomes the
        model's beginning-of-text token, or else its end-of-text token.

        Raises:
            ItemError: a clip could not be read or understood.
            SetupError: ``chat`` is asked of a model without chat template.
        """
        parts = self.chat_parts(dialogue) if chat else list(parts_of(dialogue))
        pieces = [
            self.embed_text(part)
            if isinstance(part, str)
            # An audio encoder may be on another card.
            else understood(heard[part.digest]).to(self.device)
            for part in parts
        ]
        if not any(len(piece) for piece in pieces):
            pieces = [self._embed_ids([self._empty_context_id()])]
        return torch.cat(pieces)

    def chat_parts(self, dialogue: Dialogue) -> list[Part]:
        """The chat template filled in, cut open where the clips are.

        With `audio_text`, a message's content is a list of blocks, ``{"type": "text", "text": ...}`` and
        ``{"type": "audio"}``; without, it is one text. Override it for a model whose format is not in a
        template.

        Raises:
            SetupError: the tokenizer has no chat template.
            ItemError: the template drops a clip, or a text holds what stands for one.
        """
        if self.tokenizer.chat_template is None:
            raise SetupError(
                f"{self.name} has no chat template: it is a base model, which can score but not reply"
            )
        content = _blocks if self.audio_text else _text
        messages: list[dict[str, Any]] = [{"role": one.role, "content": content(one)} for one in dialogue]
        told = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        texts = cast(str, told).split(self.audio_text or _CLIP_MARK)
        clips = clips_of(dialogue)
        if len(texts) != len(clips) + 1:
            raise ItemError("chat_template", f"{self.name}'s chat template does not keep every clip once")
        return [part for pair in zip_longest(texts, clips) for part in pair if part is not None]

    def logits(
        self, embeddings: Tensor, mask: Tensor | None, positions: Tensor, cache: Cache | None, last: int = 0
    ) -> tuple[Tensor, Cache]:
        """Next-token logits and the grown cache; scores and replies alike come from here.

        Args:
            embeddings: of the new tokens, [rows, new, hidden].
            mask: which cached and new tokens are real, [rows, cached + new], 0 or 1; None if all are.
            positions: of the new tokens, [rows, new].
            cache: of the tokens before, None at the start.
            last: how many of the new tokens get logits, counted from the end; 0 means all.

        Returns:
            Logits, [rows, last, vocabulary], on the embeddings' device, and the cache with the new tokens.
        """
        output: Any = self.model(
            inputs_embeds=embeddings,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=last,
        )
        return output.logits.to(embeddings.device), output.past_key_values

    def close(self) -> None:
        """Frees the weights."""
        del self.model

    def _embed_ids(self, ids: list[int]) -> Tensor:
        return self.embed(torch.tensor(ids, dtype=torch.long, device=self.device))

    def _empty_context_id(self) -> int:
        for token in (self.tokenizer.bos_token_id, self.tokenizer.eos_token_id):
            if token is not None:
                return cast(int, token)
        raise SetupError(
            f"{self.name} has neither a beginning nor an end token to stand for an empty context"
        )


def understood(found: T | Failure) -> T:
    """What was found in a clip.

    Raises:
        ItemError: it is a failure.
    """
    if isinstance(found, Failure):
        raise ItemError(found.reason, found.detail)
    return found


def audio_tokens(dialogue: Dialogue, heard: Heard) -> int:
    """Positions that the dialogue's clips take in its context."""
    return sum(len(understood(heard[clip.digest])) for clip in clips_of(dialogue))


def _text(message: Message) -> str:
    return "".join(part if isinstance(part, str) else _CLIP_MARK for part in message.parts)


def _blocks(message: Message) -> list[dict[str, str]]:
    return [
        {"type": "text", "text": part} if isinstance(part, str) else {"type": "audio"}
        for part in message.parts
    ]


def _end_ids(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The tokens that end a reply: Llama 3 and others name more of them than their tokenizer does."""
    # A class of older code, without GenerationMixin, has no such attribute.
    config = getattr(model, "generation_config", None)
    named = config.eos_token_id if config is not None else None
    ids = named if isinstance(named, list) else [named]
    found = {token for token in [*ids, tokenizer.eos_token_id] if token is not None}
    return sorted(cast(set[int], found))
