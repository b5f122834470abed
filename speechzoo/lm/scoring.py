"""Log-likelihoods of continuations: every clip is encoded once, every context prefilled once.

Contexts are packed, longest first, and left-padded. Their cache is then copied for each
continuation, and one more pass over the continuations alone gives the rest. Nothing of the context
is scored; the first token of a continuation is, from the context's last position.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers.cache_utils import Cache, DynamicLayer

from speechzoo.asks import ContinuationScore, Failure, ScoreAnswer, ScoreAsk, context_digest
from speechzoo.errors import ItemError, SetupError
from speechzoo.lm.batches import left_padding, packed
from speechzoo.lm.causal import CausalLM, Heard
from speechzoo.lm.hearing import hear


@dataclass
class _Group:
    """One context, [tokens, hidden], and the distinct continuations asked after it."""

    context: Tensor
    continuations: dict[str, list[int]] = field(default_factory=dict)
    scores: dict[str, ContinuationScore] = field(default_factory=dict)


@dataclass(frozen=True)
class _Row:
    """One continuation of the group at this place of its batch."""

    place: int
    text: str
    ids: list[int]


@dataclass(frozen=True)
class _Prefill:
    """What contexts leave behind: rows are contexts, left-padded to the longest.

    ``next`` are log-probabilities of the first token after each context, [contexts, vocabulary].
    """

    cache: Cache
    mask: Tensor
    lengths: Tensor
    next: Tensor


@torch.inference_mode()
def score(lm: CausalLM, asks: Sequence[ScoreAsk], token_budget: int) -> list[ScoreAnswer | Failure]:
    """Answers in the order of the asks.

    Failures: ``empty_continuation``, ``too_long`` (nothing is ever cut), and those of clips.

    Args:
        lm: the model.
        asks: contexts and continuations; equal contexts are computed once.
        token_budget: most tokens of one forward pass, padding and cache included; a context or
            continuation that is longer by itself goes alone.
    """
    groups: dict[str, _Group] = {}
    heard = hear(lm, (ask.context for ask in asks))
    keys = [_enter(lm, ask, heard, groups) for ask in asks]
    asked = [group for group in groups.values() if group.continuations]
    longest_first = sorted(asked, key=lambda group: -len(group.context))
    for batch in packed(longest_first, lambda group: len(group.context), token_budget):
        _score_together(lm, batch, token_budget)
    return [
        key if isinstance(key, Failure) else _answer(ask, groups[key])
        for ask, key in zip(asks, keys, strict=True)
    ]


def _enter(lm: CausalLM, ask: ScoreAsk, heard: Heard, groups: dict[str, _Group]) -> str | Failure:
    """Puts an ask into the group of its context and returns the group's key."""
    try:
        key = context_digest(ask)
        if key not in groups:
            groups[key] = _Group(lm.embed_context(ask.context, ask.chat, heard))
    except ItemError as error:
        return Failure(error.reason, error.detail)
    group = groups[key]
    continuations = {text: group.continuations.get(text) or lm.ids(text) for text in ask.continuations}
    for text, ids in continuations.items():
        if not ids:
            return Failure("empty_continuation", f"no token in the continuation {text!r}")
        if len(group.context) + len(ids) > lm.max_positions:
            return Failure(
                "too_long",
                f"{len(group.context)} context tokens and {len(ids)} of the continuation, "
                f"{lm.name} takes {lm.max_positions}",
            )
    group.continuations.update(continuations)
    return key


def _answer(ask: ScoreAsk, group: _Group) -> ScoreAnswer:
    return ScoreAnswer(tuple(group.scores[text] for text in ask.continuations))


def _score_together(lm: CausalLM, groups: list[_Group], token_budget: int) -> None:
    """Prefills the contexts of the groups side by side and fills in their scores."""
    rows = [_Row(i, text, ids) for i, group in enumerate(groups) for text, ids in group.continuations.items()]
    prefill = _prefill(lm, [group.context for group in groups])
    width = prefill.mask.shape[1]
    for batch in packed(rows, lambda row: width + len(row.ids), token_budget):
        for row, total in zip(batch, _log_likelihoods(lm, prefill, batch), strict=True):
            groups[row.place].scores[row.text] = ContinuationScore(total, len(row.ids))


def _prefill(lm: CausalLM, contexts: list[Tensor]) -> _Prefill:
    lengths = torch.tensor([len(context) for context in contexts], device=lm.device)
    embeddings = pad_sequence(contexts, batch_first=True, padding_side="left")
    mask, positions = left_padding(lengths)
    logits, cache = lm.logits(embeddings, mask, positions, None, last=1)
    return _Prefill(cache, mask, lengths, torch.log_softmax(logits[:, -1].float(), -1))


def _log_likelihoods(lm: CausalLM, prefill: _Prefill, rows: list[_Row]) -> list[float]:
    place = torch.tensor([row.place for row in rows], device=lm.device)
    lengths = torch.tensor([len(row.ids) for row in rows], device=lm.device)
    ids = pad_sequence([torch.tensor(row.ids, device=lm.device) for row in rows], batch_first=True)
    total = prefill.next[place, ids[:, 0]].double()
    steps = torch.arange(1, ids.shape[1], device=lm.device)
    if len(steps):
        # The last token of a continuation predicts nothing that is scored, so it is not fed in.
        given = lm.embed(ids[:, :-1])
        real = steps < lengths[:, None]
        mask = torch.cat([prefill.mask[place], real.long()], dim=1)
        positions = prefill.lengths[place, None] + steps - 1
        logits, _ = lm.logits(given, mask, positions, _copied(prefill.cache, place))
        total += torch.where(real, _log_probabilities(logits, ids[:, 1:]).double(), 0.0).sum(dim=1)
    return [float(value) for value in total.tolist()]


def _log_probabilities(logits: Tensor, ids: Tensor) -> Tensor:
    """Of each token under the logits before it, [rows, tokens].

    Row by row: a float32 copy of all logits at once would be what fills the memory.
    """
    rows = [
        torch.log_softmax(row.float(), -1).gather(-1, token[:, None])[:, 0]
        for row, token in zip(logits, ids, strict=True)
    ]
    return torch.stack(rows)


def _copied(cache: Cache, rows: Tensor) -> Cache:
    """A cache with these rows; the original stays as it is."""
    if bad := next((layer for layer in cache.layers if not isinstance(layer, DynamicLayer)), None):
        raise SetupError(
            f"contexts cannot be shared in a cache with {type(bad).__name__}: "
            "score such a model with speechzoo.lm.score_plainly"
        )
    # Dynamic layers replace their tensors instead of writing into them, so that copying the objects
    # is enough, and selecting rows makes the only copy of the tensors.
    copied = copy(cache)
    copied.layers = [copy(layer) for layer in cache.layers]
    copied.batch_select_indices(rows)
    return copied
