"""Items x conditions x systems -> work; refuses what a system cannot do before anything loads."""

import hashlib
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

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
from speechzoo.dialogue import clips_of, parts_of
from speechzoo.errors import ItemError, SpeechzooError
from speechzoo.model import required_capabilities
from speechzoo.run.records import Key, Role, RunItem, ShownAsk, Variant, clip_file_name
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


Asks = Mapping[tuple[str, Condition], Ask | Failure]
"""What a task asks, by item and condition; a failure where it cannot."""


def choose_items(items: Iterable[Item], limit: int | None, seed: int) -> list[Item]:
    """All items, or a random sample that grows with the limit: those of 10 are among those of 50.

    Raises:
        SpeechzooError: two items have one id, an item is malformed, or there are none.
    """
    everything = list(items)
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
    return {
        (item.id, condition): ask_one(task, item, condition, _read_headers)
        for item in items
        for condition in conditions
    }


def lacking(asks: Asks, condition: Condition, able: Collection[Capability]) -> set[Capability]:
    """What a system would have to be able to do, and is not, for all asks of a condition."""
    needed: set[Capability] = set()
    for (_, own_condition), ask in asks.items():
        if own_condition == condition and not isinstance(ask, Failure):
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
    works: list[Work] = []
    failures: dict[Key, Failure] = {}
    for role, conditions in systems.items():
        for (item_id, condition), ask in asks.items():
            if condition not in conditions:
                continue
            key = Key(role=role, item=item_id, condition=condition)
            if isinstance(ask, Failure):
                failures[key] = ask
            else:
                works.append(_work(key, ask))
    works += _prior(asks, {role: systems[role] for role in priors})
    works += _probe(asks, items, systems, seed)
    return Plan(
        items={item.id: item for item in items},
        shown=tuple(_shown(item, systems["model"], asks) for item in items),
        works=tuple(works),
        failures=failures,
    )


def clips_in_memory(plan: Plan) -> Iterator[AudioClip]:
    """The clips of planned items that are no files: a run keeps them, so that reports can play them."""
    for work in plan.works:
        if not work.key.variant:
            yield from (clip for clip in all_clips(work.ask) if isinstance(clip.data, bytes))


def pack(works: Sequence[Work], budget: int) -> list[list[Work]]:
    """Batches of at most ``budget`` estimated tokens, longest first; equal contexts stay together.

    What of one context is larger than the budget is cut; a single ask that is larger goes alone. Longest
    first, so that a lack of memory shows at the start and not after a night.
    """
    by_context = sorted(works, key=lambda work: (work.context, -work.cost))
    units = [
        unit
        for _, group in groupby(by_context, key=lambda work: work.context)
        for unit in _filled([[work] for work in group], budget)
    ]
    return _filled(sorted(units, key=lambda unit: (-_total(unit), unit[0].context)), budget)


def _filled(units: Iterable[list[Work]], budget: int) -> list[list[Work]]:
    """The units in their order, as many a batch as fit into the budget."""
    batches: list[list[Work]] = []
    room = 0
    for unit in units:
        cost = _total(unit)
        if cost > room or not batches:
            batches.append([])
            room = budget
        batches[-1] += unit
        room -= cost
    return batches


def _total(works: Iterable[Work]) -> int:
    return sum(work.cost for work in works)


def ask_one(task: Task, item: Item, condition: Condition, check: Callable[[Ask], object]) -> Ask | Failure:
    """The item as an ask, or why it cannot be asked: the task or the check raised something."""
    try:
        ask = task.ask(item, condition)
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


def _work(key: Key, ask: Ask) -> Work:
    context = context_digest(ask)
    return Work(key, ask, ask_digest(ask, context), context, _cost(ask))


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


def _prior(asks: Asks, systems: Mapping[Role, Collection[Condition]]) -> list[Work]:
    """Each system's scores of the continuations without the context: what these alone give away.

    Under each of its conditions, whose continuations may differ by a space.
    """
    works = []
    for role, conditions in systems.items():
        for (item_id, condition), ask in asks.items():
            if isinstance(ask, Failure) or condition not in conditions:
                continue
            if (contexts := score_asks(ask)) and not any(one.chat for one in contexts):
                key = Key(role=role, item=item_id, condition=condition, variant="prior")
                works.append(_work(key, ScoreAsk((), continuations_of(ask))))
    return works


def _probe(
    asks: Asks,
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
        if isinstance(ask := asks[item.id, Condition.S2T], ScoreAsk | MultiScoreAsk | ReplyAsk)
        and _heard(ask)
    }
    chosen = _shuffled(list(asked), seed)[:PROBE_ITEMS]
    works = []
    for place, item_id in enumerate(chosen):
        others = (asked[name] for name in chosen[place + 1 :] + chosen[:place])
        own = {clip.digest for clip in _heard(asked[item_id])}
        # Several items may share one recording: hearing that one again would prove nothing.
        other = next((clip for ask in others for clip in _heard(ask) if clip.digest not in own), None)
        if other is not None:
            works.append(_varied(item_id, "silence", asked[item_id], lambda clip: silence(clip.seconds)))
            works.append(_varied(item_id, "swapped", asked[item_id], partial(_instead, other)))
    return works


def _heard(ask: Ask) -> tuple[AudioClip, ...]:
    return clips_of(dialogue_of(ask))


def _instead(other: AudioClip, _own: AudioClip) -> AudioClip:
    return other


def _varied(item_id: str, variant: Variant, ask: Ask, change: Callable[[AudioClip], AudioClip]) -> Work:
    key = Key(role="model", item=item_id, condition=Condition.S2T, variant=variant)
    return _work(key, with_clips(ask, change))


def _shown(item: Item, conditions: Collection[Condition], asks: Asks) -> RunItem:
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
        chance=item.chance,
        asks=shown,
        failures=failures,
    )


def _shown_ask(ask: Ask) -> ShownAsk:
    contexts = [one.context for one in score_asks(ask)] or [dialogue_of(ask)]
    texts = ["".join(p if isinstance(p, str) else "[audio]" for p in parts_of(one)) for one in contexts]
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


def _clip_path(clip: AudioClip) -> str:
    if isinstance(clip.data, bytes):
        return f"audio/{clip_file_name(clip)}"
    return str(clip.data.absolute())


def _shuffled(ids: Sequence[str], seed: int) -> list[str]:
    return sorted(ids, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest())


def _first_duplicate(ids: Sequence[str]) -> str:
    seen: set[str] = set()
    return next(name for name in ids if name in seen or seen.add(name))  # type: ignore[func-returns-value]
