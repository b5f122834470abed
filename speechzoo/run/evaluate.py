"""A run from end to end: plan, answers, grades. Each step resumes from what lies in the folder."""

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import cast

from packaging.requirements import Requirement

from speechzoo import __version__
from speechzoo.asks import Answer, Failure
from speechzoo.errors import SpeechzooError, StoreError
from speechzoo.loading import Component, load
from speechzoo.plugins import Plugins
from speechzoo.registry import DataEntry
from speechzoo.run.executors.local import Loading, LocalExecutor
from speechzoo.run.grade import grade_answers
from speechzoo.run.plan import Plan, Work, choose_items, make_plan, pack, unable
from speechzoo.run.progress import Progress
from speechzoo.run.records import (
    AnswerRecord,
    Key,
    MetricInfo,
    Role,
    RunFile,
    RunItem,
    SystemInfo,
    TaskInfo,
    answer_to_json,
)
from speechzoo.run.results import valid_answers
from speechzoo.run.signature import read_signature, write_settings, write_signature
from speechzoo.run.store import Store, read_run
from speechzoo.specs import Condition, JsonObject
from speechzoo.task import Item, Task


@dataclass(frozen=True)
class Request:
    """What a user asks for.

    Attributes:
        systems: the model under test and, where wanted, its base text LLM and a rival.
        task: what to measure.
        conditions: None means all that the task offers and the model can do.
        limit: number of items, None for all.
        device: ``cpu``, ``cuda``, ``cuda:1``.
        dtype: of the weights.
        seed: of every random choice.
        out: the run's folder; None makes one under ``runs/`` named after what is run.
        batch_tokens: estimated tokens a batch.
        time_limit: seconds a batch may take before its worker is taken for hung.
        notes: remarks that belong into the report.
        signature: fields of a signature line the run must be equal to.
    """

    systems: Mapping[Role, Component]
    task: Component
    conditions: tuple[Condition, ...] | None = None
    limit: int | None = None
    device: str = "cpu"
    dtype: str = "float32"
    seed: int = 0
    out: Path | None = None
    batch_tokens: int = 2048
    time_limit: float = 600.0
    notes: tuple[str, ...] = ()
    signature: Mapping[str, str] = field(default_factory=dict)


def evaluate(request: Request, plugins: Plugins, progress: Progress) -> Path:
    """Runs, or takes up again, what is asked for; returns the run's folder.

    Raises:
        SpeechzooError: the request cannot be run at all; items that fail alone are outcomes instead.
    """
    for component in (*request.systems.values(), request.task):
        component.require()
    task = cast(Task, load(request.task, seed=request.seed))
    items = choose_items(task.items(), request.limit, request.seed)
    conditions, notes = _conditions(request, task, items)
    systems = _conditions_of_systems(request, conditions)
    plan = make_plan(task, items, conditions, systems, request.seed)
    run = _run_file(
        request, task, systems, conditions, (*request.notes, *notes, *_count_notes(request, items))
    )
    _refuse_another_signature(request.signature, read_signature(run.signature))
    folder = request.out or Path("runs") / _folder_name(request, run)
    if (folder / "run.json").exists():
        _refuse_another_run(folder, read_run(folder), run)
    planned = _planned_items(request, plan)
    with Store(folder) as store:
        for notice in store.notices:
            progress.say(notice)
        store.write_plan(run, planned)
        plugins.emit("speechzoo_run_started", folder=folder, run=run.model_dump(mode="json"))
        for role in systems:
            if works := [work for work in plan.works if work.key.role == role]:
                answered = valid_answers(planned, store.answers())
                _answer_all(request, works, answered, store, plugins, progress)
        answers = valid_answers(planned, store.answers())
        grade_answers(store, task, run.task.identity, plan, answers, progress)
    return folder


def _answer_all(
    request: Request,
    works: list[Work],
    answered: Mapping[Key, AnswerRecord],
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
    executor = LocalExecutor(
        Loading(component, request.device, request.dtype, request.seed), request.time_limit
    )
    try:
        for done in executor.run(pack(todo, request.batch_tokens)):
            records = [_record(request, work, answer, store) for work, answer in done]
            store.add_answers(records)
            progress.advance(len(done))
            for record in records:
                plugins.emit("speechzoo_sample_done", record=record.model_dump(mode="json"))
    finally:
        executor.close()


def _record(request: Request, work: Work, answer: Answer | Failure, store: Store) -> AnswerRecord:
    return AnswerRecord(key=work.key, basis=_basis(request, work), answer=answer_to_json(answer, store.audio))


def _planned_items(request: Request, plan: Plan) -> list[RunItem]:
    planned: dict[str, dict[str, str]] = {}
    for work in plan.works:
        planned.setdefault(work.key.item, {})[work.key.way] = _basis(request, work)
    return [item.model_copy(update={"planned": planned.get(item.id, {})}) for item in plan.shown]


def _basis(request: Request, work: Work) -> str:
    """Digest of the ask and of everything about the system that can change its answer."""
    system = [request.systems[work.key.role].identity(), request.dtype, request.seed]
    return _digest([system, work.digest])[:32]


def _conditions(request: Request, task: Task, items: list[Item]) -> tuple[tuple[Condition, ...], list[str]]:
    model = request.systems["model"]
    wanted = request.conditions or task.conditions
    able: list[Condition] = []
    notes = []
    for condition in wanted:
        if condition not in task.conditions:
            offered = ", ".join(task.conditions)
            raise SpeechzooError(f"{request.task.name} has no condition {condition}; it has: {offered}")
        lacking = unable(task, items[0], condition, model.capabilities)
        if not lacking:
            able.append(condition)
            continue
        told = f"{condition} cannot be asked: {model.name} does not declare {', '.join(sorted(lacking))}"
        if request.conditions:
            raise SpeechzooError(told)
        notes.append(told)
    if not able:
        raise SpeechzooError("\n".join(notes))
    return tuple(able), notes


def _conditions_of_systems(
    request: Request, conditions: tuple[Condition, ...]
) -> dict[Role, tuple[Condition, ...]]:
    """The base is a text LLM and gives T0; the rival listens and gives C."""
    kept: dict[Role, tuple[Condition, ...]] = {"model": conditions}
    if "base" in request.systems and Condition.T2T in conditions:
        kept["base"] = (Condition.T2T,)
    if "rival" in request.systems and Condition.S2T in conditions:
        kept["rival"] = (Condition.S2T,)
    return kept


def _run_file(
    request: Request,
    task: Task,
    systems: Mapping[Role, tuple[Condition, ...]],
    conditions: tuple[Condition, ...],
    notes: tuple[str, ...],
) -> RunFile:
    infos = {role: _system_info(request.systems[role], request.dtype, systems[role]) for role in systems}
    about = _task_info(request.task, task)
    identity = {
        "systems": {role: info.identity for role, info in infos.items()},
        "task": [about.identity, about.version],
        "dtype": request.dtype,
        "seed": request.seed,
    }
    return RunFile(
        speechzoo=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        fingerprint=_digest(identity)[:16],
        signature=signature_of(request, about, conditions),
        task=about,
        systems=infos,
        conditions=conditions,
        limit=request.limit,
        seed=request.seed,
        device=request.device,
        environment=_environment(request),
        notes=notes,
    )


def signature_of(request: Request, about: TaskInfo, conditions: tuple[Condition, ...]) -> str:
    """The line that names, pins and re-runs a result."""
    model, rival = request.systems["model"], request.systems.get("rival")
    changed = {f"model.{key}": value for key, value in _changed(model).items()}
    changed |= {f"task.{key}": value for key, value in _changed(request.task).items()}
    return write_signature(
        {
            "task": request.task.name,
            "version": about.version,
            "data": request.task.revision[:8],
            "model": model.name,
            "revision": _digest(model.identity())[:8],
            "rival": rival.name if rival else "",
            "conditions": ",".join(conditions),
            "limit": str(request.limit) if request.limit else "",
            "set": write_settings(changed),
            "dtype": request.dtype,
            "seed": str(request.seed),
            "speechzoo": __version__,
        }
    )


def _system_info(component: Component, dtype: str, conditions: tuple[Condition, ...]) -> SystemInfo:
    entry = component.entry
    return SystemInfo(
        identity=component.identity(),
        summary=entry.summary if entry else component.spec.summary,
        licence=entry.licence if entry else "unknown",
        changed=_changed(component),
        dtype=dtype,
        conditions=conditions,
    )


def _task_info(component: Component, task: Task) -> TaskInfo:
    entry = component.entry
    return TaskInfo(
        identity=component.identity(),
        version=task.version,
        summary=component.spec.summary,
        licence=entry.licence if entry else "unknown",
        citation=entry.citation if isinstance(entry, DataEntry) else "",
        changed=_changed(component),
        metrics=tuple(
            MetricInfo(
                name=metric.name,
                chance=metric.chance,
                higher_is_better=metric.higher_is_better,
                low=metric.low,
                high=metric.high,
            )
            for metric in task.metrics
        ),
    )


def _changed(component: Component) -> dict[str, str | int | float | bool]:
    parts = {role: part.name for role, part in component.parts.items()}
    return {key: {**component.parameters, **parts}[key] for key in component.changed}


def _environment(request: Request) -> dict[str, str]:
    """Versions of the plugins at work and of what they directly require."""
    plugins = {
        part.package.split()[0]
        for component in (*request.systems.values(), request.task)
        for part in component.whole()
    }
    needed = {Requirement(line).name for name in plugins for line in requires(name) or ()}
    versions = {"python": platform.python_version(), "platform": platform.platform()}
    for name in sorted(plugins | needed | {"speechzoo", "torch", "transformers"}):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:  # an extra that is not installed
            continue
    return versions


def _count_notes(request: Request, items: list[Item]) -> list[str]:
    """The registry says how many items there should be; another number is worth a remark."""
    entry = request.task.entry
    if request.limit is not None or not isinstance(entry, DataEntry) or "items" not in entry.expected:
        return []
    expected = entry.expected["items"]
    return [] if len(items) == expected else [f"{len(items)} items, the registry expects {expected}"]


def _folder_name(request: Request, run: RunFile) -> str:
    name = f"{request.systems['model'].name}--{request.task.name}--{run.fingerprint[:8]}"
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in name)


def _refuse_another_run(folder: Path, old: RunFile, new: RunFile) -> None:
    """A folder belongs to one model and one task; anything else is decided answer by answer."""
    fields: dict[str, tuple[object, object]] = {
        "model": (old.systems["model"].identity, new.systems["model"].identity),
        "dtype": (old.systems["model"].dtype, new.systems["model"].dtype),
        "task": (old.task.identity["name"], new.task.identity["name"]),
        "seed": (old.seed, new.seed),
    }
    differing = [difference for name, (a, b) in fields.items() for difference in _differences(name, a, b)]
    if differing:
        told = "\n  ".join(differing)
        raise StoreError(f"{folder} holds another run; choose another --out. What differs:\n  {told}")


def _refuse_another_signature(wanted: Mapping[str, str], found: Mapping[str, str]) -> None:
    differing = [
        f"{name}: {value} in the signature, {found.get(name, 'nothing')} here"
        for name, value in wanted.items()
        if found.get(name) != value
    ]
    if differing:
        raise SpeechzooError("this is not what the signature names:\n  " + "\n  ".join(differing))


def _differences(name: str, old: object, new: object) -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            line
            for key in sorted({*old, *new})
            for line in _differences(f"{name}.{key}", old.get(key), new.get(key))
        ]
    return [] if old == new else [f"{name}: {old} there, {new} now"]


def _digest(value: JsonObject | list[object]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
