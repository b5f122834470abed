"""Which item is spoken by which voice through which channel."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

from speechzoo import SpeechzooError
from speechzoo.channel import Channel

from speechzoo_synth.items import TextItem

Assign = Literal["turn", "each"]


@dataclass(frozen=True)
class Order:
    """One clip that is wanted.

    Attributes:
        id: the item's, with voice and channel where an item is spoken more than once.
        item: what is asked.
        written: all that is asked, in writing.
        spoken: the same made fit for reading.
        voice: by name.
        channel: what befalls the clip.
    """

    id: str
    item: TextItem
    written: str
    spoken: str
    voice: str
    channel: Channel


def draw(items: Sequence[TextItem], limit: int | None, seed: int) -> list[TextItem]:
    """All items, or a random sample that grows with the limit; in their own order."""
    if limit is None or limit >= len(items):
        return list(items)
    chosen = {item.id for item in _shuffled(items, seed)[:limit]}
    return [item for item in items if item.id in chosen]


def assigned(
    items: Sequence[TextItem], voices: Sequence[str], channels: Sequence[Channel], assign: Assign, seed: int
) -> Iterator[tuple[str, TextItem, str, Channel]]:
    """Ids, items, voices and channels, in the items' order.

    In turn, every combination gets equally many items, which ones is drawn by the seed: so that no voice
    has all questions of one sort. With ``each``, every item gets every combination.

    Raises:
        SpeechzooError: two clips would have one id.
    """
    combinations = list(product(voices, channels))
    if assign == "each":
        names: set[str] = set()
        for item, (voice, channel) in product(items, combinations):
            told = [item.id, *([voice] if len(voices) > 1 else []), *([str(channel)] if str(channel) else [])]
            name = "@".join(told)
            if name in names:
                raise SpeechzooError(f"two clips would be called {name!r}: give the items ids without @")
            names.add(name)
            yield name, item, voice, channel
        return
    places = {item.id: place for place, item in enumerate(_shuffled(items, seed))}
    for item in items:
        voice, channel = combinations[places[item.id] % len(combinations)]
        yield item.id, item, voice, channel


def _shuffled(items: Sequence[TextItem], seed: int) -> list[TextItem]:
    return sorted(items, key=lambda item: hashlib.sha256(f"{seed}:{item.id}".encode()).digest())
