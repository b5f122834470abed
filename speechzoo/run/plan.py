"""Items x conditions x systems -> work; refuses what a system cannot do before anything loads."""

import hashlib
import math
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import groupby
from typing import TypeGuard

import numpy as np

from speechzoo.asks import (
    Ask,
    DialogueAsk,
    Failure,
    MultiScoreAsk,
    ReplyAsk,
    ScoreAsk,
    ask_digest,
    context_digest,
    continuations_of,
    dialogue_of,
    score_asks,
    spoken_text,
    with_clips,
)
from speechzoo.audio import AudioClip, silence
from speechzoo.dialogue import Part, clips_of, parts_of
from speechzoo.errors import ItemError, SpeechzooError
from speechzoo.model import required_capabilities
from speechzoo.run.records import Key, Role, RunItem, ShownAsk, Variant, clip_file_name
from speechzoo.specs import Capability, Condition
from speechzoo.task import Item, Task

PROBE_ITEMS = 16
CHARACTERS_A_TOKEN = 4
AUDIO_TOKENS_A_SECOND = 12.5
# Of a run of more items nothing is kept in memory that can be had again: asks, answers, grades, and the texts
# of items. What is looked at in order is then made or read each time, which takes some 20 microseconds.
LARGE = 20_000
KEPT_OF_LARGE = 1_000
# 64 bits of a hash tell contexts apart, and millions of them have to be kept.
CONTEXT_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Work:
    """One ask for one system, with what the runner needs to order and pack it.

    Attributes:
        key: what its answer will be filed under.
        source: the ask, or what makes it.
        digest: hash of everything in the ask; an answer on disk counts only if this is equal.
        context: hash of what is read and heard; equal contexts can share one prefill.
        cost: estimated tokens.
    """

    key: Key
    source: "Ask | Callable[[Work], Ask]"
    digest: str
    context: str
    cost: int

    @property
    def ask(self) -> Ask:
        """The ask itself."""
        return self.source(self) if callable(self.source) else self.source


Asks = Mapping[tuple[str, Condition], Ask | Failure]
"""What a task asks, by item and condition; a failure where it cannot."""


@dataclass(frozen=True)
class Plan:
    """All work of a run.

    Attributes:
        items: the items it is about, by id.
        asks: what is asked about them.
        conditions: of the model under test.
        works: one for each (system, item, condition, variant) that can be asked; those of an item stand
            together, in the order of the items.
        failures: those that cannot, and why.
    """

    items: Mapping[str, Item]
    asks: Asks
    conditions: Collection[Condition]
    works: tuple[Work, ...]
    failures: Mapping[Key, Failure]

    def shown(self, basis: Callable[[Work], str]) -> Iterator[RunItem]:
        """The items as reports show them, in their order; ``basis`` is what an answer to a work must have."""
        groups = groupby(self.works, key=lambda work: work.key.item)
        planned, works = next(groups, ("", iter(())))
        for item in self.items.values():
            own: dict[str, str] = {}
            if item.id == planned:
                own = {work.key.way: basis(work) for work in works}
                planned, works = next(groups, ("", iter(())))
            yield _shown(item, self.conditions, self.asks, own)


def kept(items: int) -> int | None:
    """How many asks or records of a run of so many items are kept in memory; None for all."""
    return None if items <= LARGE else KEPT_OF_LARGE


class TaskAsks(Asks):
    """What a task asks. Each item is asked about at once, so that what cannot be asked is known.

    Of a large run only the last asks are kept: a task asks about an item in the same way every time.

    Args:
        task: the task.
        items: that are asked about.
        conditions: under which they are.
    """

    def __init__(self, task: Task, items: Sequence[Item], conditions: Sequence[Condition]) -> None:
        self._task, self._conditions = task, conditions
        self._items = {item.id: item for item in items}
        self._again = lru_cache(kept(len(items)))(self._asked)
        self._failures: dict[tuple[str, Condition], Failure] = {}
        for key in self:
            asked = ask_one(partial(self._again, *key), _read_headers)
            if isinstance(asked, Failure):
                self._failures[key] = asked

    def __getitem__(self, key: tuple[str, Condition]) -> Ask | Failure:
        failure = self._failures.get(key)
        return self._again(*key) if failure is None else failure

    def __iter__(self) -> Iterator[tuple[str, Condition]]:
        return ((item, condition) for item in self._items for condition in self._conditions)

    def __len__(self) -> int:
        return len(self._items) * len(self._conditions)

    def _asked(self, item: str, condition: Condition) -> Ask:
        return self._task.ask(self._items[item], condition)


def choose_items(items: Iterable[Item], limit: int | None, seed: int) -> list[Item]:
    """All items, or a random sample that grows with the limit: those of 10 are among those of 50.

    Raises:
        SpeechzooError: two items have one id, an item is malformed, or there are none.
    """
    everything = items if isinstance(items, list) else list(items)
    if fault := next(filter(None, map(item_fault, everything)), None):
        raise SpeechzooError(fault)
    ids = [item.id for item in everything]
    if not ids:
        raise SpeechzooError("the task has no items")
    if len(set(ids)) < len(ids):
        raise SpeechzooError(f"two items of the task have the id {_first_duplicate(ids)!r}")
    if limit is None or limit >= len(ids):
        return everything
    chosen = set(_shuffled(ids, seed)[:limit])
    return [item for item in everything if item.id in chosen]


def ask_all(task: Task, items: Sequence[Item], conditions: Sequence[Condition]) -> Asks:
    """Every item under every condition; what cannot be asked, and why."""
    return TaskAsks(task, items, conditions)


def lacking(asks: Asks, condition: Condition, able: Collection[Capability]) -> set[Capability]:
    """What a system would have to be able to do, and is not, for all asks of a condition."""
    needed: set[Capability] = set()
    for key in asks:
        if key[1] == condition and not isinstance(ask := asks[key], Failure):
            needed |= required_capabilities(ask)
    return needed - set(able)


def make_plan(
    asks: Asks,
    items: Sequence[Item],
    systems: Mapping[Role, Collection[Condition]],
    seed: int,
    priors: Collection[Role],
) -> Plan:
    """Every ask of every system.

    Args:
        asks: see `ask_all`.
        items: see `choose_items`.
        systems: which conditions each system is asked under; the model's are those of the run.
        seed: of the probe's choice of items.
        priors: the systems that are asked for the continuations without their context as well.
    """
    wanted = dict.fromkeys(condition for own in systems.values() for condition in own)
    roles = {condition: [role for role in systems if condition in systems[role]] for condition in wanted}
    source = partial(_made, asks)
    probes = _probe(asks, items, systems, seed)
    works: list[Work] = []
    failures: dict[Key, Failure] = {}
    for item in items:
        for condition, own in roles.items():
            ask = asks[item.id, condition]
            keys = [Key(role=role, item=item.id, condition=condition) for role in own]
            if isinstance(ask, Failure):
                failures |= dict.fromkeys(keys, ask)
            else:
                works += _works(keys, ask, source)
                works += _priors([key for key in keys if key.role in priors], ask, source)
        works += probes.get(item.id, [])
    return Plan({item.id: item for item in items}, asks, systems["model"], tuple(works), failures)


def clips_in_memory(plan: Plan) -> Iterator[AudioClip]:
    """The clips of planned items that are no files: a run keeps them, so that reports can play them."""
    for work in plan.works:
        ask = plan.asks[work.key.item, work.key.condition]
        if not work.key.variant and not isinstance(ask, Failure):
            yield from (clip for clip in all_clips(ask) if isinstance(clip.data, bytes))


def pack(works: Sequence[Work], budget: int) -> list[list[Work]]:
    """Batches of at most ``budget`` estimated tokens, longest first; equal contexts stay together.

    What of one context is larger than the budget is cut; a single ask that is larger goes alone. Longest
    first, so that a lack of memory shows at the start and not after a night.
    """
    by_context = sorted(sorted(works, key=lambda work: -work.cost), key=lambda work: work.context)
    starts = array("q", _unit_starts(by_context, budget))
    if not starts:
        return []
    totals = np.add.reduceat([work.cost for work in by_context], starts)
    ends = array("q", [*starts[1:], len(by_context)])
    batches: list[list[Work]] = []
    room = 0
    for unit in np.argsort(-totals, kind="stable"):
        if totals[unit] > room or not batches:
            batches.append([])
            room = budget
        batches[-1] += by_context[starts[unit] : ends[unit]]
        room -= int(totals[unit])
    return batches


def _unit_starts(by_context: Sequence[Work], budget: int) -> Iterator[int]:
    """Where works begin that go into one batch together: as many of one context as fit into the budget."""
    room, context = 0, ""
    for place, work in enumerate(by_context):
        if not place or work.context != context or work.cost > room:
            yield place
            room, context = budget, work.context
        room -= work.cost


def ask_one(make: Callable[[], Ask], check: Callable[[Ask], object]) -> Ask | Failure:
    """An item as an ask, or why it cannot be asked: what makes or checks it raised something."""
    try:
        ask = make()
        check(ask)
    except ItemError as error:
        return Failure(error.reason, error.detail)
    except Exception as error:  # a task's fault on one item is that item's outcome, counted and shown
        return Failure("ask_error", f"{type(error).__name__}: {error}")
    return ask


def _read_headers(ask: Ask) -> None:
    for clip in all_clips(ask):
        _ = clip.header  # a bad file is known before a model is loaded


def all_clips(ask: Ask) -> list[AudioClip]:
    """Those heard and those scored."""
    scored = [part for part in continuations_of(ask) if isinstance(part, AudioClip)]
    return [*clips_of(dialogue_of(ask)), *scored]


def item_fault(item: Item) -> str | None:
    """What is wrong with an item's id or attributes, None if nothing is."""
    if not isinstance(item.id, str) or not item.id.isprintable() or not item.id:
        return f"an item's id is a printable text, not {item.id!r}"
    if not isinstance(item.attributes, Mapping):
        return f"item {item.id!r}: attributes are a mapping, not {item.attributes!r}"
    for name, value in item.attributes.items():
        good = isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))
        if not good:
            return f"item {item.id!r}: attribute {name!r} is a text or finite number, not {value!r}"
    return None


def _works(keys: Sequence[Key], ask: Ask, source: Callable[[Work], Ask] | None = None) -> list[Work]:
    """The same ask under several keys; without a source it is kept."""
    if not keys:
        return []
    context = context_digest(ask)
    digest, cost = ask_digest(ask, context), _cost(ask)
    return [Work(key, source or ask, digest, context[:CONTEXT_DIGITS], cost) for key in keys]


def _priors(keys: Sequence[Key], ask: Ask, source: Callable[[Work], Ask]) -> list[Work]:
    """The scores of the continuations without the context: what these alone give away.

    Under each condition, whose continuations may differ by a space.
    """
    contexts = score_asks(ask)
    if not contexts or any(one.chat for one in contexts):
        return []
    own = [replace(key, variant="prior") for key in keys]
    return _works(own, _without_context(ask), source)


def _without_context(ask: Ask) -> ScoreAsk:
    return ScoreAsk((), continuations_of(ask))


def _made(asks: Asks, work: Work) -> Ask:
    """The ask of a work, from what the task asks, perhaps now and for the second time.

    Raises:
        SpeechzooError: the task asks something else than before.
    """
    ask = asks[work.key.item, work.key.condition]
    assert not isinstance(ask, Failure), "what cannot be asked is no work"
    if work.key.variant == "prior":
        ask = _without_context(ask)
    if not _is(ask, work.digest):
        raise SpeechzooError(
            f"item {work.key.item!r} under {work.key.condition}: asked again, the task asks something else; "
            "an ask may depend on nothing but the item and the condition (draw with a seed)"
        )
    return ask


def _is(ask: Ask, digest: str) -> bool:
    try:
        return ask_digest(ask) == digest
    except ItemError:  # a file that is gone by now is told by the worker, as this item's failure
        return True


def _cost(ask: Ask) -> int:
    parts = [*parts_of(dialogue_of(ask)), *continuations_of(ask)]
    characters = sum(len(part) for part in parts if isinstance(part, str))
    seconds = sum(part.seconds for part in parts if isinstance(part, AudioClip))
    given = characters // CHARACTERS_A_TOKEN + int(seconds * AUDIO_TOKENS_A_SECOND)
    return max(1, given + _reply_tokens(ask))


def _reply_tokens(ask: Ask) -> int:
    """The most that are written."""
    if isinstance(ask, DialogueAsk):
        return ask.max_tokens * len(ask.turns)
    return ask.max_tokens if isinstance(ask, ReplyAsk) else 0


def _probe(
    asks: Asks,
    items: Sequence[Item],
    systems: Mapping[Role, Collection[Condition]],
    seed: int,
) -> dict[str, list[Work]]:
    """Some items asked again with silence and with another item's audio: does the model hear?"""
    if Condition.S2T not in systems["model"]:
        return {}
    heard = [item.id for item in items if _can_be_probed(asks[item.id, Condition.S2T])]
    chosen = {
        item_id: ask
        for item_id in _shuffled(heard, seed)[:PROBE_ITEMS]
        if _can_be_probed(ask := asks[item_id, Condition.S2T])
    }
    probes: dict[str, list[Work]] = {}
    for place, (item_id, ask) in enumerate(chosen.items()):
        others = [*chosen.values()][place + 1 :] + [*chosen.values()][:place]
        own = {clip.digest for clip in _heard(ask)}
        # Several items may share one recording: hearing that one again would prove nothing.
        other = next((clip for one in others for clip in _heard(one) if clip.digest not in own), None)
        if other is not None:
            silenced = _varied(item_id, "silence", ask, lambda clip: silence(clip.seconds))
            probes[item_id] = [silenced, _varied(item_id, "swapped", ask, partial(_instead, other))]
    return probes


def _can_be_probed(ask: Ask | Failure) -> TypeGuard[Ask]:
    return isinstance(ask, ScoreAsk | MultiScoreAsk | ReplyAsk) and bool(_heard(ask))


def _heard(ask: Ask) -> tuple[AudioClip, ...]:
    return clips_of(dialogue_of(ask))


def _instead(other: AudioClip, _own: AudioClip) -> AudioClip:
    return other


def _varied(item_id: str, variant: Variant, ask: Ask, change: Callable[[AudioClip], AudioClip]) -> Work:
    key = Key(role="model", item=item_id, condition=Condition.S2T, variant=variant)
    (work,) = _works([key], with_clips(ask, change))
    return work


def _shown(item: Item, conditions: Collection[Condition], asks: Asks, planned: dict[str, str]) -> RunItem:
    shown: dict[Condition, ShownAsk] = {}
    failures: dict[Condition, tuple[str, str]] = {}
    for condition in conditions:
        ask = asks[item.id, condition]
        if isinstance(ask, Failure):
            failures[condition] = (ask.reason, ask.detail)
        else:
            shown[condition] = _shown_ask(ask)
    return RunItem(
        id=item.id,
        cluster=cluster_of(item),
        attributes=dict(item.attributes),
        chance=item.chance,
        asks=shown,
        planned=planned,
        failures=failures,
    )


def cluster_of(item: Item) -> str:
    """What it is resampled with; an item that shares nothing is a cluster of its own."""
    return item.id if item.cluster is None else item.cluster


def _shown_ask(ask: Ask) -> ShownAsk:
    contexts = [one.context for one in score_asks(ask)] or [dialogue_of(ask)]
    if isinstance(ask, DialogueAsk):
        texts = ["\n\n".join(_shown_parts(message.parts) for message in dialogue_of(ask))]
    else:
        texts = [_shown_parts(parts_of(one)) for one in contexts]
    heard = clips_of(dialogue_of(ask))
    seconds = max(sum(clip.seconds for clip in clips_of(one)) for one in contexts)
    continuations = continuations_of(ask)
    return ShownAsk(
        text="\n".join(dict.fromkeys(texts)),
        continuations=tuple(p if isinstance(p, str) else p.transcript or p.name for p in continuations),
        spoken_continuations=tuple(_clip_path(p) for p in continuations if isinstance(p, AudioClip)),
        clips=tuple(_clip_path(clip) for clip in heard),
        seconds=seconds if heard else None,
        spoken=spoken_text(ask),
    )


def _shown_parts(parts: Iterable[Part]) -> str:
    return "".join(part if isinstance(part, str) else "[audio]" for part in parts)


def _clip_path(clip: AudioClip) -> str:
    if isinstance(clip.data, bytes):
        return f"audio/{clip_file_name(clip)}"
    return str(clip.data.absolute())


def _shuffled(ids: Sequence[str], seed: int) -> list[str]:
    return sorted(ids, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest())


def _first_duplicate(ids: Sequence[str]) -> str:
    seen: set[str] = set()
    return next(name for name in ids if name in seen or seen.add(name))  # type: ignore[func-returns-value]
