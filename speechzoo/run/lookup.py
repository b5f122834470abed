"""Records of a run, each read when it is looked at: of a million answers a run keeps where they stand."""

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from speechzoo.run.plan import kept
from speechzoo.run.records import AnswerRecord, GradeRecord, Key, Role, RunItem, ShownAsk, Variant
from speechzoo.run.store import read_line, read_places
from speechzoo.specs import Condition

Looked = TypeVar("Looked", AnswerRecord, GradeRecord)
NONE_FAILED: dict[Condition, tuple[str, str]] = {}


class Lookup(Mapping[Key, Looked]):
    """Records of a file by their key, in the order of the items. The file must not be shortened.

    Args:
        path: the file.
        kind: of its records.
        places: the number of each item.
    """

    def __init__(self, path: Path, kind: type[Looked], places: Mapping[str, int]) -> None:
        self._path, self._places = path, places
        self._kind: type[Looked] = kind
        self._offsets: dict[tuple[Role, Condition, Variant], NDArray[np.int64]] = {}
        self._read: Callable[[int], Looked] = lru_cache(kept(len(places)))(self._read_at)

    def put(self, key: Key, offset: int) -> None:
        """The key's record stands at this byte; the last one that is put counts."""
        way = key.role, key.condition, key.variant
        if way not in self._offsets:
            self._offsets[way] = np.full(len(self._places), -1)
        self._offsets[way][self._places[key.item]] = offset

    def __getitem__(self, key: Key) -> Looked:
        if key not in self:
            raise KeyError(key)
        return self._read(int(self._offsets[key.role, key.condition, key.variant][self._places[key.item]]))

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, Key) or key.item not in self._places:
            return False
        offsets = self._offsets.get((key.role, key.condition, key.variant))
        return offsets is not None and bool(offsets[self._places[key.item]] >= 0)

    def __iter__(self) -> Iterator[Key]:
        for (role, condition, variant), offsets in self._offsets.items():
            for item, there in zip(self._places, offsets >= 0, strict=True):
                if there:
                    yield Key(role, item, condition, variant)

    def __len__(self) -> int:
        return sum(int(np.count_nonzero(offsets >= 0)) for offsets in self._offsets.values())

    @cached_property
    def _file(self) -> BinaryIO:
        return self._path.open("rb")

    def _read_at(self, offset: int) -> Looked:
        return read_line(self._file, offset, self._kind)


class StoredItem:
    """A `PlannedItem`: what is asked about it is read when it is looked at."""

    __slots__ = ("_offset", "_read", "attributes", "chance", "cluster", "failures", "id")

    def __init__(self, item: RunItem, offset: int, read: Callable[[int], RunItem]) -> None:
        self.id, self.chance, self.failures = item.id, item.chance, item.failures or NONE_FAILED
        self.cluster = item.id if item.cluster == item.id else item.cluster
        self.attributes = item.attributes
        self._offset, self._read = offset, read

    @property
    def asks(self) -> dict[Condition, ShownAsk]:
        """What is asked about it, by condition."""
        return self._read(self._offset).asks

    @property
    def planned(self) -> dict[str, str]:
        """The basis that an answer must have, by the way the item is asked."""
        return self._read(self._offset).planned


def read_items(path: Path, planned: "Planned") -> dict[str, StoredItem]:
    """The items of a run by id, in their order; ``planned`` notes them.

    Raises:
        StoreError: the file is damaged.
    """
    file = path.open("rb")
    with path.open("rb") as lines:
        count = sum(1 for _ in lines)
    read = lru_cache(kept(count))(lambda offset: read_line(file, offset, RunItem))
    known: dict[tuple[object, ...], dict[str, str | int | float]] = {}
    items = {}
    for offset, item in read_places(path, RunItem):
        for _ in planned.noting([item]):
            own = items[item.id] = StoredItem(item, offset, read)
            # Most items have attributes in common with many others.
            own.attributes = known.setdefault((*map(_typed, item.attributes.items()),), item.attributes)
    return items


def _typed(attribute: tuple[str, str | int | float]) -> tuple[object, ...]:
    """1 and 1.0 are equal, and written differently."""
    return (*attribute, type(attribute[1]))


class Planned:
    """The items of a run by number, and the basis that an answer must have to be what is planned."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}
        self._bases: dict[str, array[int]] = {}

    def noting(self, items: Iterable[RunItem]) -> Iterator[RunItem]:
        """The same items, noted as they pass."""
        for item in items:
            place = self.places[item.id] = len(self.places)
            for way, basis in item.planned.items():
                own = self._bases.setdefault(way, array("q"))
                # No hash is -1.
                own.extend([-1] * (place - len(own)))
                own.append(hash(basis))
            yield item

    def _holds(self, record: AnswerRecord) -> bool:
        place = self.places.get(record.key.item)
        bases = self._bases.get(record.key.way, array("q"))
        return place is not None and place < len(bases) and bases[place] == hash(record.basis)

    def answers(self, folder: Path) -> Lookup[AnswerRecord]:
        """Answers to exactly what is planned, by exactly the systems of the plan.

        The last one counts: an ask is only put again because its first answer was a failure of the
        machine, or because the user wanted it afresh.

        Raises:
            StoreError: the file is damaged.
        """
        path = folder / "answers.jsonl"
        found = Lookup(path, AnswerRecord, self.places)
        for offset, record in read_places(path, AnswerRecord):
            if self._holds(record):
                found.put(record.key, offset)
        return found
