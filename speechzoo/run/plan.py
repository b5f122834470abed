"""Items x conditions x systems -> work; refuses what a system cannot do before anything loads."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from speechzoo.asks import (
    Ask,
    Failure,
    ReplyAsk,
    ScoreAsk,
    ask_digest,
    context_digest,
    dialogue_of,
    spoken_text,
    with_clips,
)
from speechzoo.audio import AudioClip, silence
from speechzoo.dialogue import clips_of, parts_of
from speechzoo.errors import ItemError, SpeechzooError
from speechzoo.model import required_capabilities
from speechzoo.run.records import Key, Role, RunItem, ShownAsk, Variant
from speechzoo.specs import Capability, Condition
from speechzoo.task import Item, Task

PROBE_ITEMS = 16
CHARACTERS_A_TOKEN = 4
AUDIO_TOKENS_A_SECOND = 12.5


@dataclass(frozen=True)
class Work:
    """One ask for one system, with what the runner needs to order and pack it.

    Attributes:
        key: what its answer will be filed under.
        ask: the ask itself.
        digest: hash of everything in the ask; an answer on disk counts only if this is equal.
        context: hash of what is read and heard; equal contexts can share one prefill.
        cost: estimated tokens.
    """

    key: Key
    ask: Ask
    digest: str
    context: str
    cost: int


@dataclass(frozen=True)
class Plan:
    """All work of a run.

    Attributes:
        items: the items it is about, by id.
        shown: the items as reports show them.
        works: one for each (system, item, condition, variant) that can be asked.
        failures: those that cannot, and why.
    """

    items: Mapping[str, Item]
    shown: tuple[RunItem, ...]
    works: tuple[Work, ...]
    failures: Mapping[Key, Failure]


def choose_items(items: Iterable[Item], limit: int | None, seed: int) -> list[Item]:
    """All items, or a random sample that grows with the limit: those of 10 are among those of 50.

    Raises:
        SpeechzooError: two items have one id, or there are none.
    """
    everything = list(items)
    ids = [item.id for item in everything]
    if not ids:
        raise SpeechzooError("the task has no items")
    if len(set(ids)) < len(ids):
        raise SpeechzooError(f"two items of the task have the id {_first_duplicate(ids)!r}")
    if limit is None or limit >= len(ids):
        return everything
    chosen = set(_shuffled(ids, seed)[:limit])
    return [item for item in everything if item.id in chosen]


def make_plan(
    task: Task,
    items: Sequence[Item],
    conditions: Sequence[Condition],
    systems: Mapping[Role, Collection[Condition]],
    seed: int,
) -> Plan:
    """Every ask of every system.

    Args:
        task: what is measured.
        items: see `choose_items`.
        conditions: of the model under test.
        systems: which of these conditions each system is asked under.
        seed: of the probe's choice of items.
    """
    asks: dict[tuple[str, Condition], Ask | Failure] = {
        (item.id, condition): _ask(task, item, condition) for item in items for condition in conditions
    }
    works: list[Work] = []
    failures: dict[Key, Failure] = {}
    for role, own_conditions in systems.items():
        for (item_id, condition), ask in asks.items():
            if condition not in own_conditions:
                continue
            key = Key(role=role, item=item_id, condition=condition)
            if isinstance(ask, Failure):
                failures[key] = ask
            else:
                works.append(_work(key, ask))
    works += _prior(asks, systems)
    works += _probe(asks, items, systems, seed)
    return Plan(
        items={item.id: item for item in items},
        shown=tuple(_shown(item, conditions, asks) for item in items),
        works=tuple(works),
        failures=failures,
    )


def unable(task: Task, item: Item, condition: Condition, able: Collection[Capability]) -> set[Capability]:
    """What a system would have to be able to do, and is not, to be asked under a condition."""
    ask = task.ask(item, condition)
    return set(required_capabilities(ask)) - set(able)


def pack(works: Sequence[Work], budget: int) -> list[list[Work]]:
    """Batches of at most ``budget`` estimated tokens, longest first; equal contexts stay together.

    Longest first, so that a lack of memory shows at the start and not after a night.
    """
    by_context = sorted(works, key=lambda work: work.context)
    units = [list(group) for _, group in groupby(by_context, key=lambda work: work.context)]
    units.sort(key=lambda unit: (-sum(work.cost for work in unit), unit[0].context))
    batches: list[list[Work]] = []
    room = 0
    for unit in units:
        cost = sum(work.cost for work in unit)
        if cost > room or not batches:
            batches.append([])
            room = budget
        batches[-1] += unit
        room -= cost
    return batches


def _ask(task: Task, item: Item, condition: Condition) -> Ask | Failure:
    try:
        ask = task.ask(item, condition)
        for clip in clips_of(dialogue_of(ask)):
            _ = clip.header  # a bad file is known before a model is loaded
    except ItemError as error:
        return Failure(error.reason, error.detail)
    return ask


def _work(key: Key, ask: Ask) -> Work:
    return Work(key, ask, ask_digest(ask), context_digest(ask), _cost(ask))


def _cost(ask: Ask) -> int:
    parts = list(parts_of(dialogue_of(ask)))
    characters = sum(len(part) for part in parts if isinstance(part, str))
    seconds = sum(part.seconds for part in parts if isinstance(part, AudioClip))
    extra = 0 if isinstance(ask, ScoreAsk) else ask.max_tokens
    if isinstance(ask, ScoreAsk):
        characters += sum(map(len, ask.continuations))
    return max(1, characters // CHARACTERS_A_TOKEN + int(seconds * AUDIO_TOKENS_A_SECOND) + extra)


def _prior(
    asks: Mapping[tuple[str, Condition], Ask | Failure], systems: Mapping[Role, Collection[Condition]]
) -> list[Work]:
    """The model's choice among the continuations without the context: what the endings give away."""
    if Condition.T2T not in systems["model"]:
        return []
    return [
        _work(Key(role="model", item=item_id, condition=condition, variant="prior"), replace(ask, context=()))
        for (item_id, condition), ask in asks.items()
        if condition == Condition.T2T and isinstance(ask, ScoreAsk) and not ask.chat
    ]


def _probe(
    asks: Mapping[tuple[str, Condition], Ask | Failure],
    items: Sequence[Item],
    systems: Mapping[Role, Collection[Condition]],
    seed: int,
) -> list[Work]:
    """Some items asked again with silence and with another item's audio: does the model hear?"""
    if Condition.S2T not in systems["model"]:
        return []
    asked = {
        item.id: ask
        for item in items
        if isinstance(ask := asks[item.id, Condition.S2T], ScoreAsk | ReplyAsk) and clips_of(dialogue_of(ask))
    }
    chosen = _shuffled(list(asked), seed)[:PROBE_ITEMS]
    if len(chosen) < 2:
        return []
    works = []
    for item_id, other_id in zip(chosen, chosen[1:] + chosen[:1], strict=True):
        other = clips_of(dialogue_of(asked[other_id]))[0]
        changed: dict[Variant, Ask] = {
            "silence": with_clips(asked[item_id], lambda clip: silence(clip.seconds)),
            "swapped": with_clips(asked[item_id], lambda clip, other=other: other),  # type: ignore[misc]
        }
        for variant, ask in changed.items():
            key = Key(role="model", item=item_id, condition=Condition.S2T, variant=variant)
            works.append(_work(key, ask))
    return works


def _shown(
    item: Item, conditions: Sequence[Condition], asks: Mapping[tuple[str, Condition], Ask | Failure]
) -> RunItem:
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
        cluster=item.cluster if item.cluster is not None else item.id,
        attributes=dict(item.attributes),
        asks=shown,
        failures=failures,
    )


def _shown_ask(ask: Ask) -> ShownAsk:
    messages = dialogue_of(ask)
    text = "".join(part if isinstance(part, str) else "[audio]" for part in parts_of(messages))
    return ShownAsk(
        text=text,
        continuations=ask.continuations if isinstance(ask, ScoreAsk) else (),
        clips=tuple(clip.name for clip in clips_of(messages)),
        spoken=spoken_text(ask),
    )


def _shuffled(ids: Sequence[str], seed: int) -> list[str]:
    return sorted(ids, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest())


def _first_duplicate(ids: Sequence[str]) -> str:
    seen: set[str] = set()
    return next(name for name in ids if name in seen or seen.add(name))  # type: ignore[func-returns-value]
