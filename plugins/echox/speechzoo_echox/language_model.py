"""EchoX's LLM as speechzoo scores and decodes it."""

from collections.abc import Sequence
from itertools import groupby
from typing import cast

import torch
from torch import Tensor
from transformers import LlamaForCausalLM, PreTrainedTokenizerBase
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

from speechzoo import AudioClip, Dialogue
from speechzoo.audio import Samples
from speechzoo.lm import CausalLM
from speechzoo.lm.causal import Heard, understood
from speechzoo_echox.audio_adapter import SpeechEncoder
from speechzoo_echox.prompt import Prompt, SpecialTokens, prompt


class EchoXLM(CausalLM):
    """The LLM with its ears.

    In a prompt with clips nobody may look at the padding token, which is the end of a turn, too; it keeps its
    place all the same. Such a token's embedding is all infinities, which no other has: what it is cannot
    matter, and so the mask travels with the context.
    """

    max_clip_seconds = 30.0

    def __init__(
        self, model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerBase, name: str, ears: SpeechEncoder
    ) -> None:
        super().__init__(model, tokenizer, name)
        self.ears = ears
        self.tokens = SpecialTokens.of(tokenizer, model.config.vocab_size)

    def features(self, wave: Samples) -> Tensor:
        return self.ears.log_mel(wave)

    def embed_audio(self, features: Sequence[Tensor]) -> list[Tensor]:
        # One by one: in a batch other sums are rounded, and a near tie of CTC labels would make another
        # number of vectors.
        return [self.ears(one) for one in features]

    def embed_context(self, dialogue: Dialogue, chat: bool, heard: Heard) -> Tensor:
        if not chat:
            return super().embed_context(dialogue, chat, heard)
        return self.embed_prompt(prompt(dialogue, self.tokens, self.ids), heard)

    def embed_prompt(self, given: Prompt, heard: Heard) -> Tensor:
        """[tokens, hidden], with the vectors of clips in their places."""
        masks = any(isinstance(item, AudioClip) for item in given)
        pieces = []
        for is_clip, run in groupby(given, lambda item: isinstance(item, AudioClip)):
            if is_clip:
                pieces += [understood(heard[clip.digest]) for clip in run if isinstance(clip, AudioClip)]
                continue
            ids = torch.tensor([item for item in run if isinstance(item, int)], device=self.device)
            embedded = self.embed(ids)
            if masks:
                embedded[ids == self.tokens.pad] = torch.inf
            pieces.append(embedded)
        return torch.cat(pieces)

    def logits(
        self, embeddings: Tensor, mask: Tensor | None, positions: Tensor, cache: Cache | None, last: int = 0
    ) -> tuple[Tensor, Cache]:
        states, cache = self.states(embeddings, mask, positions, cache)
        return self.head(states[:, -last:]), cache

    def states(
        self, embeddings: Tensor, mask: Tensor | None, positions: Tensor, cache: Cache | None
    ) -> tuple[Tensor, Cache]:
        """States after the final norm, [rows, new, hidden], and the grown cache; see `logits`."""
        own = _ContextCache(embeddings) if cache is None else cast(_ContextCache, cache)
        output = self.model.model(
            inputs_embeds=own.finite(embeddings) if cache is None else embeddings,
            attention_mask=own.seen(mask, embeddings.shape[1]),
            position_ids=positions,
            past_key_values=own,
            use_cache=True,
        )
        return output.last_hidden_state, own

    def head(self, states: Tensor) -> Tensor:
        """Next-token logits, [..., vocabulary], of states, [..., hidden]."""
        logits: Tensor = self.model.lm_head(states)
        return logits

    def period_scores(self, states: Tensor) -> Tensor:
        """Cosines, [n] in float32, of states, [n, hidden], with the head's row of the full stop."""
        row = self.model.lm_head.weight[self.tokens.period]
        return torch.cosine_similarity(states.float(), row.float()[None], dim=-1)

    def close(self) -> None:
        super().close()
        del self.ears


class _ContextLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """The first layer of a cache; it knows which tokens of the contexts, [rows, tokens], nobody may look at.

    It is a layer that knows them because rows are selected layer by layer.
    """

    unseen: Tensor | None = None

    def batch_select_indices(self, indices: Tensor) -> None:
        super().batch_select_indices(indices)
        if self.unseen is not None:
            self.unseen = self.unseen[indices]


class _ContextCache(DynamicCache):
    """Masks those tokens of its contexts."""

    def __init__(self, contexts: Tensor) -> None:
        super().__init__()
        first = _ContextLayer()  # type: ignore[no-untyped-call]
        unseen = contexts.isinf().all(-1)
        first.unseen = unseen if unseen.any() else None
        self.layers = [first]

    @property
    def unseen(self) -> Tensor | None:
        """[rows, tokens]; None if there are none."""
        return cast(_ContextLayer, self.layers[0]).unseen

    def finite(self, contexts: Tensor) -> Tensor:
        """The contexts, [rows, tokens, hidden], with zeros where nobody may look."""
        return contexts if self.unseen is None else contexts.masked_fill(self.unseen[..., None], 0.0)

    def seen(self, mask: Tensor | None, new: int) -> Tensor | None:
        """The mask, [rows, cached + new] or None, without them."""
        if self.unseen is None:
            return mask
        if mask is None:
            shape = (len(self.unseen), self.get_seq_length() + new)
            mask = torch.ones(shape, dtype=torch.long, device=self.unseen.device)
        context = self.unseen.shape[1]
        return torch.cat([mask[:, :context].masked_fill(self.unseen, 0), mask[:, context:]], dim=1)
