"""A run from end to end: plan, answers, grades. Each step resumes from what lies in the folder."""

import gc
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import cast

from speechzoo import __version__
from speechzoo.errors import ItemError, SpeechzooError
from speechzoo.loading import Component, load
from speechzoo.plugins import Plugins
from speechzoo.registry import DataEntry
from speechzoo.run.describe import describe, digest, refuse_another_run, refuse_another_signature
from speechzoo.run.executors import Executor
from speechzoo.run.executors.local import Loading, LocalExecutor
from speechzoo.run.grade import grade_answers
from speechzoo.run.heard import heard_instead
from speechzoo.run.judge import check_judge, options_of_task
from speechzoo.run.listen import listen
from speechzoo.run.lookup import Planned
from speechzoo.run.plan import (
    Asks,
    Work,
    ask_all,
    choose_items,
    clips_in_memory,
    lacking,
    make_plan,
    pack,
)
from speechzoo.run.progress import Progress
from speechzoo.run.records import AnswerRecord, Key, Role, RunFile, answer_to_json, keep_clip
from speechzoo.run.request import Request
from speechzoo.run.shard import asks_digest, part_of
from speechzoo.run.store import Store, read_run
from speechzoo.specs import Capability, Condition, JsonObject
from speechzoo.task import Item, Task, is_judged

# Failures of the machine rather than of the item: a later call tries them again.
MACHINE_FAILURES = {"model_error", "out_of_memory", "timed_out", "unreachable", "worker_died"}

NEW_OBJECTS_A_COLLECTION = 50_000

MakeExecutor = Callable[[Component, Request], Executor]
"""From a system to what answers its asks."""


@contextmanager
def _rare_collection() -> Iterator[None]:
    """Plans and records hold no cycles and are many: to look for some takes as long as all the rest."""
    usual = gc.get_threshold()
    gc.set_threshold(NEW_OBJECTS_A_COLLECTION, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


@_rare_collection()
def evaluate(
    request: Request, plugins: Plugins, progress: Progress, executor: MakeExecutor | None = None
) -> Path:
    """Runs, or takes up again, what is asked for; returns the run's folder.

    Args:
        request: what is asked for.
        plugins: are told of every event.
        progress: is told how far it is.
        executor: answers the asks; the default loads each system in a process of its own.

    Raises:
        SpeechzooError: the request cannot be run at all; items that fail alone are outcomes instead.
    """
    for component in request.components():
        component.require(request.trust_remote_code)
    _refuse_no_transcriber(request.transcriber)
    of_task = options_of_task(request.task, request)
    task = cast(Task, load(request.task, of_task))
    _refuse_no_judge(request, task)
    check_judge(request.task, of_task)
    items = choose_items(_items(request, task), request.limit, request.seed)
    asks, systems, refusals = _asks(request, task, items)
    # A plugin's task need not have notes: most data sets need no remark.
    of_data = getattr(task, "notes", ())
    counts = count_notes(request.task, items, request.limit)
    notes = [*_heard_notes(request), *request.notes, *refusals, *of_data, *counts]
    run = describe(request, task, systems, tuple(notes))
    refuse_another_signature(request.signature, run)
    folder = request.out or Path("runs") / _folder_name(request, run)
    if (folder / "run.json").exists():
        before = read_run(folder)
        refuse_another_run(folder, before, run)
        heard_by = run.transcriber or before.transcriber
        run = run.model_copy(update={"created": before.created, "transcriber": heard_by})
    # Without a context there is no audio to score under.
    priors = [r for r in systems if Capability.SCORE_UNDER_TEXT in request.systems[r].capabilities]
    plan = make_plan(heard_instead(asks, request, progress), items, systems, request.seed, priors)
    if request.shard is not None:
        run = run.model_copy(update={"asked": asks_digest(plan)})
        plan = part_of(plan, request.shard, request.seed)
    basis = _basis(request)
    planned = Planned()
    with Store(folder) as store:
        for notice in store.notices:
            progress.say(notice)
        shown = planned.noting(plan.shown(basis))
        store.write_plan(run, shown, keep_transcripts=request.transcriber is None)
        for clip in clips_in_memory(plan):
            keep_clip(clip, store.audio)
        plugins.emit("speechzoo_run_started", folder=folder, run=run.model_dump(mode="json"))
        answered = set() if request.fresh else _final(planned.answers(folder))
        for role in systems:
            if works := [work for work in plan.works if work.key.role == role]:
                _answer_all(request, executor or _local, works, answered, basis, store, plugins, progress)
        if request.transcriber is not None:
            store.write_transcripts(listen(request.transcriber, request.device, plan, progress))
        answers = planned.answers(folder)
        ceiling, fresh = request.max_judge_cost, request.fresh
        grade_answers(store, task, run.task.identity, plan, answers, progress, ceiling, fresh)
    return folder


def _heard_notes(request: Request) -> list[str]:
    """What a reader of this run's report alone has to know of its clips."""
    spoken = [f"Every clip is spoken anew by {request.voice.name}."] if request.voice else []
    return spoken + ([f"Every clip is heard through {request.channel}."] if str(request.channel) else [])


def _refuse_no_transcriber(component: Component | None) -> None:
    if component is not None and component.sort != "transcriber":
        raise SpeechzooError(f"{component.name} is a {component.sort}, it has to be a transcriber")


def _refuse_no_judge(request: Request, task: Task) -> None:
    name = request.task.name
    if is_judged(task) and "judge" not in request.task.parts:
        raise SpeechzooError(f"{name} has no judge: name one with --set judge=NAME (speechzoo list services)")
    if request.max_judge_cost is not None and not is_judged(task):
        raise SpeechzooError(f"--max-judge-cost: no judge is asked for {name}")


def _items(request: Request, task: Task) -> list[Item]:
    try:
        return list(task.items())
    except ItemError as error:
        raise SpeechzooError(f"{request.task.name}: {error}") from error


def _asks(
    request: Request, task: Task, items: list[Item]
) -> tuple[Asks, dict[Role, tuple[Condition, ...]], list[str]]:
    """What is asked, and of which system under which conditions; notes say what had to be left out.

    The base is a text LLM and gives T0; the rival listens and gives C, and CT from the text as it is.

    Raises:
        SpeechzooError: a condition the user named, or every one, is beyond the task or a system.
    """
    wanted = _conditions(request, task)
    asks = ask_all(task, items, wanted)
    candidates: dict[Role, tuple[Condition, ...]] = {
        "model": wanted,
        "base": (Condition.T2T,),
        "rival": (Condition.T2T, Condition.S2T),
    }
    systems: dict[Role, tuple[Condition, ...]] = {}
    notes: list[str] = []
    for role, conditions in candidates.items():
        if role not in request.systems:
            continue
        able, told = _able(request.systems[role], asks, [c for c in conditions if c in wanted])
        notes += told
        if told and (role == "rival" or (role == "model" and (request.conditions or not able))):
            raise SpeechzooError("\n".join(told))
        if able:
            systems[role] = able
    return asks, systems, notes


def _conditions(request: Request, task: Task) -> tuple[Condition, ...]:
    """Those wanted. What is read is the same whatever befalls what is heard, and is not asked again."""
    wanted = request.conditions or task.conditions
    for condition in wanted:
        if condition not in task.conditions:
            offered = ", ".join(task.conditions)
            raise SpeechzooError(f"{request.task.name} has no condition {condition}; it has: {offered}")
    if not request.varied:
        return tuple(wanted)
    heard = tuple(condition for condition in wanted if condition.speech_in)
    if not heard:
        raise SpeechzooError(
            f"nothing is heard under {', '.join(wanted)}: a channel or another voice would change nothing"
        )
    return heard


def _able(
    component: Component, asks: Asks, conditions: Sequence[Condition]
) -> tuple[tuple[Condition, ...], list[str]]:
    """The conditions a system can be asked under, and why not under the others."""
    able, told = [], []
    for condition in conditions:
        if missing := lacking(asks, condition, component.capabilities):
            needs = ", ".join(sorted(missing))
            told.append(f"{condition} cannot be asked: {component.name} does not declare {needs}")
        else:
            able.append(condition)
    return tuple(able), told


def _final(answers: Mapping[Key, AnswerRecord]) -> set[Key]:
    """What has an answer that stands; where the machine failed, another try may succeed."""
    return {key for key, record in answers.items() if not failed_by_machine(record.answer)}


def failed_by_machine(answer: JsonObject) -> bool:
    """The machine failed, not the item, at all of it or at some turns."""
    reasons = {one["reason"] for one in (answer, *answer.get("replies", ())) if "reason" in one}
    return bool(MACHINE_FAILURES & reasons)


def _answer_all(
    request: Request,
    make_executor: MakeExecutor,
    works: list[Work],
    answered: Collection[Key],
    basis: Callable[[Work], str],
    store: Store,
    plugins: Plugins,
    progress: Progress,
) -> None:
    """Answers what one system has not answered yet."""
    role = works[0].key.role
    component = request.systems[role]
    todo = [work for work in works if work.key not in answered]
    progress.stage(f"{component.name} ({role})", len(works), len(works) - len(todo))
    if not todo:
        return
    once, others = _once(todo)
    executor = make_executor(component, request)
    try:
        for done in executor.run(pack(once, request.batch_tokens)):
            records = []
            for work, answer in done:
                # Under several conditions an item may ask the same, such as its endings without context.
                told = answer_to_json(answer, store.audio)
                keys = [work.key, *others.get(work.key, ())]
                records += [AnswerRecord(key=key, basis=basis(work), answer=told) for key in keys]
            store.add_answers(records)
            progress.advance(len(records))
            if plugins.listen_to("speechzoo_sample_done"):
                for record in records:
                    plugins.emit("speechzoo_sample_done", record=record.model_dump(mode="json"))
    finally:
        executor.close()


def _local(component: Component, request: Request) -> Executor:
    return LocalExecutor(Loading(component, request.load_options()), request.time_limit)


def _once(works: Iterable[Work]) -> tuple[list[Work], dict[Key, list[Key]]]:
    """Works that ask different things, and what else each answers; works of an item stand together."""
    once: list[Work] = []
    others: dict[Key, list[Key]] = {}
    for _, of_item in groupby(works, key=lambda work: work.key.item):
        first: dict[str, Key] = {}
        for work in of_item:
            if (own := first.setdefault(work.digest, work.key)) == work.key:
                once.append(work)
            else:
                others.setdefault(own, []).append(work.key)
    return once, others


def _basis(request: Request) -> Callable[[Work], str]:
    """Digest of an ask and of everything about its system that can change the answer."""
    common = [request.dtype, request.attention, request.seed, request.device_kind, __version__]
    systems = {role: digest([component.identity(), *common]) for role, component in request.systems.items()}
    return lambda work: digest([systems[work.key.role], work.digest])[:32]


def count_notes(task: Component, items: Sequence[Item], limit: int | None = None) -> list[str]:
    """The registry says how many items there should be; another number is worth a remark.

    Args:
        task: whose items they are.
        items: all that were chosen.
        limit: the most that were to be chosen; with one, no number is expected.
    """
    entry, subset = task.entry, task.parameters.get("subset", "")
    if limit is not None or not isinstance(entry, DataEntry):
        return []
    told = []
    for what, allowed in entry.expected.items():
        if (what == "items" and subset) or (what != "items" and subset not in ("", what)):
            continue
        found = len(items) if what == "items" else sum(i.attributes.get("subset") == what for i in items)
        counts = allowed if isinstance(allowed, tuple) else (allowed,)
        if found not in counts:
            expected = " or ".join(map(str, counts))
            name = "items" if what == "items" else f"items of {what}"
            told.append(f"{found} {name}, the registry expects {expected}")
    return told


def _folder_name(request: Request, run: RunFile) -> str:
    name = f"{request.systems['model'].name}--{request.task.name}--{run.fingerprint[:8]}"
    if request.conditions:
        name += f"--{'-'.join(request.conditions)}"
    if request.limit:
        name += f"--limit{request.limit}"
    if request.shard:
        name += f"--shard{request.shard.number}of{request.shard.count}"
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in name)
