"""Items side by side: how many fit, where the padding goes, and what to do when memory runs out."""

import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import torch
from torch import Tensor

T = TypeVar("T")
R = TypeVar("R")

_LOG = logging.getLogger(__name__)


class Room:
    """The most that a model takes at once on its device: unknown until memory has run out.

    Args:
        unit: what is counted, for messages.
    """

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self.most = sys.maxsize

    def halve(self, used: int) -> None:
        """``used`` was too much, now and for as long as the model lives."""
        if self.most == sys.maxsize:
            _LOG.warning(
                "memory ran out with %d %s at once: batches are smaller from now on", used, self.unit
            )
        self.most = used // 2


def in_batches(
    items: Iterable[T],
    length: Callable[[T], int],
    budget: int,
    room: Room,
    work: Callable[[list[T]], Iterable[R]],
) -> Iterator[tuple[T, R | None]]:
    """Each item with what ``work`` makes of it, neighbours side by side within budget and room.

    When the device's memory runs out, the batch is divided and the room gets smaller. An item that
    does not fit alone comes with None.
    """
    for batch in packed(items, length, lambda: min(budget, room.most)):
        results = _attempt(work, batch)
        if results is not None:
            yield from zip(batch, results, strict=True)
        elif len(batch) == 1:
            yield batch[0], None
        else:
            room.halve(len(batch) * max(map(length, batch)))
            yield from in_batches(batch, length, budget, room, work)


def _attempt(work: Callable[[list[T]], Iterable[R]], batch: list[T]) -> list[R] | None:
    try:
        return list(work(batch))
    except torch.OutOfMemoryError:
        pass
    # Not before the exception is gone: its traceback holds the tensors of the failed pass.
    torch.cuda.empty_cache()
    return None


def packed(items: Iterable[T], length: Callable[[T], int], budget: Callable[[], int]) -> Iterator[list[T]]:
    """Neighbours in batches whose count times longest is within the budget; at least one a batch.

    The budget is asked for each batch anew.
    """
    batch: list[T] = []
    longest = 0
    for item in items:
        longest = max(longest, length(item))
        if batch and (len(batch) + 1) * longest > budget():
            yield batch
            batch, longest = [], length(item)
        batch.append(item)
    if batch:
        yield batch


def left_padding(lengths: Sequence[int], device: torch.device) -> tuple[Tensor | None, Tensor]:
    """Mask and positions, both [rows, longest], of left-padded rows: real tokens stand at 0..n-1.

    Rows of one length need no mask, and attention is faster without.
    """
    longest = max(lengths)
    padding = longest - torch.tensor(lengths)[:, None]
    positions = torch.arange(longest) - padding
    mask = (positions >= 0).long().to(device) if padding.any() else None
    return mask, positions.clamp(min=0).to(device)
