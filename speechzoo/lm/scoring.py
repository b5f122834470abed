"""Log-likelihoods of continuations: every clip is encoded once, every context prefilled once.

Contexts are packed, longest first, and left-padded. Their cache is then copied for each
continuation, and one more pass over the continuations alone gives the rest. Nothing of the context
is scored; the first token of a continuation is, from the context's last position.
"""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers.cache_utils import Cache, DynamicLayer

from speechzoo.asks import ContinuationScore, Failure, ScoreAnswer, ScoreAsk, context_digest, named
from speechzoo.dialogue import Part
from speechzoo.errors import ItemError, SetupError
from speechzoo.lm.batches import in_batches, left_padding
from speechzoo.lm.causal import CausalLM, Heard, audio_tokens
from speechzoo.lm.continuations import Ids, tokenizer_of
from speechzoo.lm.hearing import hear

# In float32 and with what the softmax needs beside them: 50 MB. On a CPU more is slower, too.
_LOGITS_AT_ONCE = 2**22


@dataclass(eq=False)
class _Group:
    """One context, [tokens, hidden], and the distinct continuations asked after it.

    Without log-likelihoods, the group did not fit into memory.
    """

    context: Tensor
    audio_tokens: int
    continuations: set[Ids] = field(default_factory=set)
    log_likelihoods: dict[Ids, float] | None = None


@dataclass(frozen=True)
class _Row:
    """One continuation of the group at this place of its batch."""

    place: int
    ids: Ids


@dataclass(frozen=True)
class _Prefill:
    """What contexts leave behind: rows are contexts, left-padded to the longest.

    ``lengths`` are [contexts]; ``next`` are logits of the first token after each context,
    [contexts, vocabulary]; the mask is None where no context is padded.
    """

    cache: Cache
    mask: Tensor | None
    lengths: Tensor
    next: Tensor


@torch.inference_mode()
def score(lm: CausalLM, asks: Sequence[ScoreAsk], token_budget: int) -> list[ScoreAnswer | Failure]:
    """Answers in the order of the asks.

    Failures: ``empty_continuation``, ``too_long`` (nothing is ever cut), ``out_of_memory`` of a context
    that does not fit alone, and those of clips.

    Args:
        lm: the model.
        asks: contexts and continuations; equal contexts are computed once.
        token_budget: most tokens of one forward pass, padding and cache included; a context or
            continuation that is longer by itself goes alone. Where it is more than the device's
            memory holds, it is halved until it is not.
    """
    groups: dict[str, _Group] = {}
    heard = hear(lm, (ask.context for ask in asks))
    ids_of = tokenizer_of(lm, (part for ask in asks for part in ask.continuations))
    entered = [_enter(lm, ask, heard, ids_of, groups) for ask in asks]
    asked = [group for group in groups.values() if group.continuations]
    for group, found in in_batches(
        sorted(asked, key=lambda group: -len(group.context)),
        lambda group: len(group.context),
        token_budget,
        lm.token_room,
        lambda batch: _score_together(lm, batch, token_budget),
    ):
        group.log_likelihoods = found
    return [ask if isinstance(ask, Failure) else _answer(*ask) for ask in entered]


def _enter(
    lm: CausalLM, ask: ScoreAsk, heard: Heard, ids_of: Callable[[Part], Ids], groups: dict[str, _Group]
) -> tuple[_Group, list[Ids]] | Failure:
    """Puts an ask into the group of its context; the ids are in the order of its continuations."""
    try:
        key = context_digest(ask)
        if key not in groups:
            context = lm.embed_context(ask.context, ask.chat, heard)
            groups[key] = _Group(context, audio_tokens(ask.context, heard))
        continuations = [ids_of(part) for part in ask.continuations]
    except ItemError as error:
        return Failure(error.reason, error.detail)
    group = groups[key]
    for part, ids in zip(ask.continuations, continuations, strict=True):
        if not ids:
            return Failure("empty_continuation", f"no token in the continuation {named(part)}")
        if len(group.context) + len(ids) > lm.max_positions:
            return Failure(
                "too_long",
                f"{len(group.context)} context tokens and {len(ids)} of the continuation, "
                f"{lm.name} takes {lm.max_positions}",
            )
    group.continuations.update(continuations)
    return group, continuations


def _answer(group: _Group, continuations: list[Ids]) -> ScoreAnswer | Failure:
    found = group.log_likelihoods
    if found is None:
        return Failure("out_of_memory", f"{len(group.context)} context tokens do not fit the memory alone")
    return ScoreAnswer(
        tuple(ContinuationScore(found[ids], len(ids), group.audio_tokens) for ids in continuations)
    )


def _score_together(lm: CausalLM, groups: list[_Group], token_budget: int) -> list[dict[Ids, float]]:
    """Prefills the contexts of the groups side by side and scores what is asked after each."""
    prefill = _prefill(lm, [group.context for group in groups])
    longest = max(len(group.context) for group in groups)
    rows = [_Row(place, ids) for place, group in enumerate(groups) for ids in group.continuations]
    found: list[dict[Ids, float]] = [{} for _ in groups]
    for row, total in in_batches(
        # Neighbours of much the same length need little padding.
        sorted(rows, key=lambda row: (-len(row.ids), row.place, row.ids)),
        lambda row: longest + len(row.ids),
        token_budget,
        lm.token_room,
        lambda batch: _log_likelihoods(lm, prefill, batch),
    ):
        if total is None:
            raise torch.OutOfMemoryError("no room for one continuation beside these contexts")
        found[row.place][row.ids] = total
    return found


def _prefill(lm: CausalLM, contexts: list[Tensor]) -> _Prefill:
    lengths = [len(context) for context in contexts]
    embeddings = pad_sequence(contexts, batch_first=True, padding_side="left")
    mask, positions = left_padding(lengths, lm.device)
    logits, cache = lm.logits(embeddings, mask, positions, None, last=1)
    # Copied, so that a model which gives logits of whole contexts does not keep them all.
    return _Prefill(cache, mask, torch.tensor(lengths, device=lm.device), logits[:, -1].clone())


def _log_likelihoods(lm: CausalLM, prefill: _Prefill, rows: list[_Row]) -> list[float]:
    place = torch.tensor([row.place for row in rows], device=lm.device)
    ids = pad_sequence([torch.tensor(row.ids) for row in rows], batch_first=True).to(lm.device)
    total = _log_probabilities(prefill.next, place, ids[:, 0])
    if ids.shape[1] > 1:
        total += _after_the_first(lm, prefill, place, ids, [len(row.ids) for row in rows])
    return [float(value) for value in total.tolist()]


def _after_the_first(
    lm: CausalLM, prefill: _Prefill, place: Tensor, ids: Tensor, lengths: list[int]
) -> Tensor:
    """Log-likelihoods, [rows], of right-padded continuations, [rows, longest], but for their first tokens."""
    # The last token of a continuation predicts nothing that is scored, so it is not fed in.
    given, wanted = ids[:, :-1], ids[:, 1:]
    steps = torch.arange(wanted.shape[1])
    real = (steps < torch.tensor(lengths)[:, None] - 1).flatten().nonzero()[:, 0].to(lm.device)
    # Padding after a continuation needs no mask: nothing real comes after it.
    mask = None if prefill.mask is None else torch.cat([prefill.mask[place], torch.ones_like(given)], dim=1)
    positions = prefill.lengths[place, None] + steps.to(lm.device)
    logits, _ = lm.logits(lm.embed(given), mask, positions, _copied(prefill.cache, place))
    each = torch.zeros(wanted.numel(), dtype=torch.float64, device=lm.device)
    each[real] = _log_probabilities(logits.flatten(0, 1), real, wanted.flatten()[real])
    return each.view(wanted.shape).sum(dim=1)


def _log_probabilities(logits: Tensor, places: Tensor, ids: Tensor) -> Tensor:
    """In float64, [tokens]: of each id under the logits, [places, vocabulary], of its place.

    A float32 copy of all logits at once would be what fills the memory.
    """
    at_once = max(1, _LOGITS_AT_ONCE // logits.shape[-1])
    parts = []
    for place, token in zip(torch.split(places, at_once), torch.split(ids, at_once), strict=True):
        part = logits[place].float()
        parts.append(part.gather(-1, token[:, None])[:, 0] - part.logsumexp(-1))
    return torch.cat(parts).double()


def _copied(cache: Cache, rows: Tensor) -> Cache:
    """A cache with these rows; the original stays as it is."""
    copied = copy(cache)
    copied.layers = [_selected(layer, rows) for layer in cache.layers]
    return copied


def _selected(layer: object, rows: Tensor) -> DynamicLayer:
    if not isinstance(layer, DynamicLayer):
        raise SetupError(
            f"contexts cannot be shared in a cache with {type(layer).__name__}: "
            "score such a model with speechzoo.lm.score_plainly"
        )
    # Dynamic layers replace their tensors instead of writing into them, so that copying the objects
    # is enough, and selecting rows makes the only copy of the tensors.
    selected = copy(layer)
    # Each layer by itself: those of a model that is spread out are on several cards.
    selected.batch_select_indices(rows.to(cast(Tensor, layer.keys).device))
    return selected
