"""Looks through a task's data without a model, and says everything that is wrong with them."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from statistics import median
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict

from speechzoo.asks import (
    Ask,
    Failure,
    MultiScoreAsk,
    ask_digest,
    continuations_of,
    dialogue_of,
    named,
    score_asks,
)
from speechzoo.audio import AudioClip
from speechzoo.dialogue import Dialogue, Part, clips_of, parts_of
from speechzoo.errors import ItemError, SpeechzooError
from speechzoo.loading import Component, load
from speechzoo.run.evaluate import count_notes
from speechzoo.run.plan import all_clips, ask_one, item_fault
from speechzoo.run.progress import Progress
from speechzoo.specs import Condition, TaskSpec
from speechzoo.task import Item, Task

SILENT_PEAK = 1e-3
# What a Whisper encoder hears at once (Radford et al. 2022, section 2.2); models built on one cut the rest.
WINDOW_SECONDS = 30.0

Value = TypeVar("Value")
Asked = tuple[Item, Condition, Ask]
Loaded = tuple[Task, Sequence[Item]]
Made = tuple[Component, Task, list[Item]]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Finding(_Record):
    """One thing that was found.

    Attributes:
        kind: a snake_case word, by which findings are counted: ``missing_file``, ``equal_asks``, ...
        detail: a sentence with the particulars.
        items: the items it is about.
        conditions: under which it shows; none if under all.
    """

    kind: str
    detail: str
    items: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()


class ClipFacts(_Record):
    """The clips that can be read: durations in seconds, numbers of clips by rate in Hz and by channels."""

    count: int
    shortest: float
    median: float
    longest: float
    total: float
    rates: dict[int, int]
    channels: dict[int, int]


class Validation(_Record):
    """All that is known of a task's data.

    Attributes:
        task: its name.
        decoded: every clip was decoded from end to end, not only its header read.
        items: how many there are.
        subsets: how many there are of each, by the attribute ``subset``.
        conditions: those the task has.
        clips: None if there is none that can be read.
        problems: what makes a score wrong or impossible.
        remarks: what may be as it should, such as another number of items than the registry's.
    """

    task: str
    decoded: bool
    items: int = 0
    subsets: dict[str, int] = {}
    conditions: tuple[Condition, ...] = ()
    clips: ClipFacts | None = None
    problems: tuple[Finding, ...]
    remarks: tuple[Finding, ...] = ()


def validate(component: Component, *, decode: bool, progress: Progress) -> Validation:
    """Everything that is wrong with a task's data.

    Where a task of several subsets cannot be made, each of them is made apart: one that is damaged hides
    nothing of the others.

    Args:
        component: the task.
        decode: decode every clip from end to end; else only headers and lengths are checked.
        progress: is told how far it is.

    Raises:
        SetupError: files or packages of the task are missing.
    """
    component.require()
    made, problems = _made(component)
    if not made:
        return Validation(task=component.name, decoded=decode, problems=tuple(problems))
    loaded = [(task, items) for _, task, items in made]
    found = examine(component.name, loaded, decode=decode, progress=progress)
    counts = [
        Finding(kind="wrong_count", detail=told)
        for part, _, items in made
        for told in count_notes(part, items)
    ]
    return found.model_copy(
        update={"problems": (*problems, *found.problems), "remarks": (*counts, *found.remarks)}
    )


def _made(component: Component) -> tuple[list[Made], list[Finding]]:
    """The task with its items, or else its subsets as far as they can be made; and what cannot be made."""
    whole = _load(component)
    if not isinstance(whole, str):
        return [whole], []
    apart = {part.name: _load(part) for part in _subsets(component)}
    made = [one for one in apart.values() if not isinstance(one, str)]
    told = [f"{name}: {one}" for name, one in apart.items() if isinstance(one, str)]
    if not told or all(one == whole for one in apart.values()):  # no fault of one subset
        told = [whole]
    return made, [Finding(kind="unusable_task", detail=one) for one in told]


def _load(component: Component) -> Made | str:
    """The task with its items, or why it cannot be made."""
    try:
        task: Task = load(component)
        return component, task, list(task.items())
    except Exception as error:  # a task may raise anything; what it says is what is wrong
        known = isinstance(error, SpeechzooError | ItemError)
        return str(error) if known else f"{type(error).__name__}: {error}"


def _subsets(component: Component) -> list[Component]:
    """What the catalogue finds under ``NAME/SUBSET``; none of a task that has none, or is one."""
    spec, parameters = component.spec, component.parameters
    if not isinstance(spec, TaskSpec) or parameters.get("subset"):
        return []
    return [
        replace(component, name=f"{component.name}/{subset}", parameters={**parameters, "subset": subset})
        for subset in spec.subsets
    ]


def examine(name: str, loaded: Sequence[Loaded], *, decode: bool, progress: Progress) -> Validation:
    """What is wrong with the items of a loaded task; the registry is not asked.

    Args:
        name: of the task.
        loaded: it with all of its items, or each of its subsets with its own.
        decode: see `validate`.
        progress: is told how far it is.
    """
    items = [item for _, own in loaded for item in own]
    faults = [Finding(kind="malformed_item", detail=fault) for item in items if (fault := item_fault(item))]
    sound = [item for item in items if item_fault(item) is None]
    asked, not_asked = _ask_all(loaded, progress)
    readable, unreadable, odd = _read_all(asked, decode, progress)
    problems = [
        *([] if items else [Finding(kind="no_items", detail="the task has no items")]),
        *faults,
        *_equal_ids(sound),
        *not_asked,
        *unreadable,
        *_empty_texts(asked),
        *_equal_continuations(asked, readable),
        *_equal_asks(asked, readable),
        *_same_audio(asked, readable, of_one_text=False),
    ]
    notes = _distinct(getattr(task, "notes", ()) for task, _ in loaded)
    remarks = [
        *(Finding(kind="note", detail=note) for note in notes),
        *_pairs(asked, readable),
        *_same_audio(asked, readable, of_one_text=True),
        *odd,
    ]
    return Validation(
        task=name,
        decoded=decode,
        items=len(items),
        subsets=dict(Counter(str(i.attributes["subset"]) for i in sound if "subset" in i.attributes)),
        conditions=_distinct(task.conditions for task, _ in loaded),
        clips=_facts(list(readable.values())),
        problems=tuple(problems),
        remarks=tuple(remarks),
    )


Clips = Mapping[Hashable, AudioClip]
"""Clips by where they are, so that a file is read once."""


def _ask_all(loaded: Sequence[Loaded], progress: Progress) -> tuple[list[Asked], list[Finding]]:
    sound = [(task, item) for task, items in loaded for item in items if item_fault(item) is None]
    progress.stage("items", len(sound), 0)
    asked: list[Asked] = []
    failed: dict[tuple[str, Failure], list[Condition]] = defaultdict(list)
    for task, item in sound:
        for condition in task.conditions:
            ask = ask_one(partial(task.ask, item, condition), all_clips)
            if isinstance(ask, Failure):
                failed[item.id, ask].append(condition)
            else:
                asked.append((item, condition, ask))
        progress.advance(1)
    return asked, [
        Finding(kind=failure.reason, detail=failure.detail, items=(name,), conditions=tuple(conditions))
        for (name, failure), conditions in failed.items()
    ]


def _read_all(
    asked: Sequence[Asked], decode: bool, progress: Progress
) -> tuple[Clips, list[Finding], list[Finding]]:
    """The clips that can be read, what is wrong with the others, and what is odd about those."""
    clips = {clip.data: clip for _, _, ask in asked for clip in all_clips(ask)}
    items = _grouped((clip.data, item.id) for item, _, ask in asked for clip in all_clips(ask))
    progress.stage("decoding clips" if decode else "reading clips", len(clips), 0)
    readable: dict[Hashable, AudioClip] = {}
    unreadable, odd = [], []
    for place, clip in clips.items():
        try:
            odd += [
                Finding(kind=kind, detail=told, items=items[place]) for kind, told in _oddities(clip, decode)
            ]
            readable[place] = clip
        except ItemError as error:
            unreadable.append(Finding(kind=error.reason, detail=error.detail, items=items[place]))
        progress.advance(1)
    return readable, unreadable, odd


def _oddities(clip: AudioClip, decode: bool) -> list[tuple[str, str]]:
    """Kind and particulars of what need not be wrong. Raises `ItemError` if the clip cannot be read."""
    odd = []
    if clip.seconds > WINDOW_SECONDS:
        odd.append(("over_30_seconds", f"{clip.name}: {clip.seconds:.1f} s"))
    _ = clip.digest  # reads the file, which may be gone by now
    if decode and (peak := np.abs(clip.samples()).max()) < SILENT_PEAK:
        odd.append(("silence", f"{clip.name}: samples reach {peak:.4f}, full scale is 1"))
    return odd


def _equal_ids(items: Sequence[Item]) -> Iterator[Finding]:
    for name, times in Counter(item.id for item in items).items():
        if times > 1:
            yield Finding(kind="equal_ids", detail=f"{times} items have the id {name!r}", items=(name,))


def _empty_texts(asked: Sequence[Asked]) -> Iterator[Finding]:
    told = _grouped(((item.id, where), condition) for item, condition, ask in asked for where in _blank(ask))
    for (name, where), conditions in told.items():
        yield Finding(kind="empty_text", detail=where, items=(name,), conditions=conditions)


def _blank(ask: Ask) -> Iterator[str]:
    """Where something should be read or heard, and nothing is."""
    contexts: list[Dialogue] = [one.context for one in score_asks(ask)] or [dialogue_of(ask)]
    if any(all(_is_blank(part) for part in parts_of(context)) for context in contexts):
        yield "there is nothing to read or hear"
    for number, part in enumerate(continuations_of(ask), start=1):
        if _is_blank(part):
            yield f"continuation {number} is empty"
    if any(clip.transcript is not None and not clip.transcript.strip() for clip in all_clips(ask)):
        yield "a clip's transcript is empty"


def _is_blank(part: Part) -> bool:
    return isinstance(part, str) and not part.strip()


def _equal_continuations(asked: Sequence[Asked], readable: Clips) -> Iterator[Finding]:
    told = _grouped(
        ((item.id, equal), condition)
        for item, condition, ask in asked
        if _is_readable(ask, readable)
        for equal in _repeated([_content(part) for part in continuations_of(ask)], continuations_of(ask))
    )
    for (name, equal), conditions in told.items():
        detail = f"two continuations are the same: {equal}"
        yield Finding(kind="equal_continuations", detail=detail, items=(name,), conditions=conditions)


def _repeated(contents: Sequence[Hashable], parts: Sequence[Part]) -> list[str]:
    return [named(part) for i, part in enumerate(parts) if contents[i] in contents[:i]]


def _equal_asks(asked: Sequence[Asked], readable: Clips) -> Iterator[Finding]:
    """Items that ask one thing: it counts more than once, and a pair of them cannot both be right."""
    same = _grouped(
        ((condition, ask_digest(ask)), item.id)
        for item, condition, ask in asked
        if _is_readable(ask, readable)
    )
    told = _grouped((names, condition) for (condition, _), names in same.items() if len(names) > 1)
    for names, conditions in told.items():
        detail = f"{len(names)} items ask the same"
        yield Finding(kind="equal_asks", detail=detail, items=names, conditions=conditions)


def _same_audio(asked: Sequence[Asked], readable: Clips, *, of_one_text: bool) -> Iterator[Finding]:
    """Recordings that are the same to the byte in several items: of one transcript, or of several."""
    uses: dict[str, list[tuple[str, AudioClip]]] = defaultdict(list)
    for item, _, ask in asked:
        for clip in all_clips(ask):
            if clip.data in readable:
                uses[readable[clip.data].digest].append((item.id, clip))
    for used in uses.values():
        names = tuple(dict.fromkeys(name for name, _ in used))
        texts = list(dict.fromkeys(clip.transcript for _, clip in used if clip.transcript is not None))
        files = ", ".join(dict.fromkeys(clip.name for _, clip in used))
        if len(texts) > 1 and not of_one_text:
            detail = f"{files}: one recording, said to be of {' and of '.join(map(repr, texts))}"
            yield Finding(kind="one_audio_two_texts", detail=detail, items=names)
        elif len(texts) <= 1 and len(names) > 1 and of_one_text:
            yield Finding(kind="shared_audio", detail=f"{files}: one recording", items=names)


def _pairs(asked: Sequence[Asked], readable: Clips) -> Iterator[Finding]:
    """Continuations with a context each may have been given one recording of it, or one each."""
    kinds: dict[str, list[tuple[str, Condition]]] = {"one_recording": [], "own_recordings": []}
    for item, condition, ask in asked:
        if isinstance(ask, MultiScoreAsk) and condition.speech_in and _is_readable(ask, readable):
            heard = {tuple(clip.digest for clip in clips_of(one.context)) for one in ask.asks}
            kinds["one_recording" if len(heard) == 1 else "own_recordings"].append((item.id, condition))
    details = {
        "one_recording": "items hear the same recording before every continuation",
        "own_recordings": "items hear a recording of its own before each continuation",
    }
    for kind, uses in kinds.items():
        if uses:
            names = tuple(dict.fromkeys(name for name, _ in uses))
            conditions = tuple(dict.fromkeys(condition for _, condition in uses))
            detail = f"{len(names)} {details[kind]}"
            yield Finding(kind=kind, detail=detail, items=names, conditions=conditions)


def _facts(clips: Sequence[AudioClip]) -> ClipFacts | None:
    if not clips:
        return None
    lengths = [clip.seconds for clip in clips]
    return ClipFacts(
        count=len(clips),
        shortest=min(lengths),
        median=median(lengths),
        longest=max(lengths),
        total=sum(lengths),
        rates=dict(sorted(Counter(clip.header.rate for clip in clips).items())),
        channels=dict(sorted(Counter(clip.header.channels for clip in clips).items())),
    )


def _is_readable(ask: Ask, readable: Clips) -> bool:
    return all(clip.data in readable for clip in all_clips(ask))


def _content(part: Part) -> Hashable:
    return part if isinstance(part, str) else (part.digest,)


def _distinct(groups: Iterable[Iterable[Value]]) -> tuple[Value, ...]:
    return tuple(dict.fromkeys(chain.from_iterable(groups)))


def _grouped(pairs: Iterator[tuple[Any, Value]]) -> dict[Any, tuple[Value, ...]]:
    """Values by key, each once, in the order they came."""
    groups: dict[Any, dict[Value, None]] = defaultdict(dict)
    for key, value in pairs:
        groups[key][value] = None
    return {key: tuple(values) for key, values in groups.items()}
