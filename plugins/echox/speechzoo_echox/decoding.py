"""Token by token, with the states that predicted them: the echo decoder speaks from those."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers.cache_utils import Cache

from speechzoo.lm.batches import left_padding

Choice = Callable[[Tensor], Tensor]
"""One token a row, [rows], of logits, [rows, vocabulary] in float32."""


class Decoder(Protocol):
    """What can be decoded: EchoX's LLM, and its echo decoder."""

    def embed(self, ids: Tensor) -> Tensor: ...

    def states(
        self, embeddings: Tensor, mask: Tensor | None, positions: Tensor, cache: Cache | None
    ) -> tuple[Tensor, Cache]: ...

    def head(self, states: Tensor) -> Tensor: ...


@torch.inference_mode()
def decode(decoder: Decoder, prompts: Sequence[Tensor], choose: Choice) -> Iterator[tuple[Tensor, Tensor]]:
    """Tokens, [rows], and the states that predicted them, [rows, hidden], step by step and without end.

    Args:
        decoder: the model.
        prompts: embeddings, each [tokens, hidden]; they are padded on the left.
        choose: makes tokens of logits.
    """
    mask, positions = left_padding([len(prompt) for prompt in prompts], prompts[0].device)
    given = pad_sequence(list(prompts), batch_first=True, padding_side="left")
    cache = None
    while True:
        states, cache = decoder.states(given, mask, positions, cache)
        tokens = choose(decoder.head(states[:, -1]).float())
        yield tokens, states[:, -1]
        given = decoder.embed(tokens[:, None])
        mask = None if mask is None else torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        positions = positions[:, -1:] + 1


def likeliest(logits: Tensor) -> Tensor:
    """The greedy `Choice`."""
    return logits.argmax(-1)


def drawn(temperature: float, top_p: float, state: int, device: torch.device) -> Choice:
    """A `Choice` at random from the nucleus; equal states draw equal tokens."""
    draws = torch.Generator(device).manual_seed(state)
    return lambda logits: torch.multinomial(nucleus(logits, temperature, top_p), 1, generator=draws)[:, 0]


def nucleus(logits: Tensor, temperature: float, top_p: float) -> Tensor:
    """Probabilities, [rows, vocabulary], of the likeliest tokens up to the one that makes them ``top_p``.

    A. Holtzman et al., The Curious Case of Neural Text Degeneration, arXiv:1904.09751, section 3.1.
    """
    ranked, order = torch.softmax(logits / temperature, -1).sort(-1, descending=True)
    beyond = ranked.cumsum(-1) - ranked > top_p
    kept = torch.zeros_like(ranked).scatter(-1, order, ranked.masked_fill(beyond, 0.0))
    return kept / kept.sum(-1, keepdim=True)
