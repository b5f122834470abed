"""Items side by side: how many fit, and where the padding goes."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import torch
from torch import Tensor

T = TypeVar("T")


def packed(items: Iterable[T], length: Callable[[T], int], budget: int) -> Iterator[list[T]]:
    """Neighbours in batches whose count times longest is within the budget; at least one a batch."""
    batch: list[T] = []
    longest = 0
    for item in items:
        longest = max(longest, length(item))
        if batch and (len(batch) + 1) * longest > budget:
            yield batch
            batch, longest = [], length(item)
        batch.append(item)
    if batch:
        yield batch


def left_padding(lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Mask and positions, both [rows, longest], of left-padded rows: real tokens stand at 0..n-1."""
    longest = int(lengths.max())
    positions = torch.arange(longest, device=lengths.device) - (longest - lengths)[:, None]
    return (positions >= 0).long(), positions.clamp(min=0)
