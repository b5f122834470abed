"""What a run says of itself: run.json, its signature, and whether a folder holds this run or another."""

import hashlib
import json
import os
import platform
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement

from speechzoo import __version__
from speechzoo.errors import SpeechzooError, StoreError
from speechzoo.loading import Component
from speechzoo.registry import DataEntry
from speechzoo.run.records import MetricInfo, Role, RunFile, SystemInfo, TaskInfo
from speechzoo.run.request import Request
from speechzoo.run.signature import read_signature, write_settings, write_signature
from speechzoo.specs import Condition, JsonObject
from speechzoo.task import Task


def describe(
    request: Request, task: Task, systems: Mapping[Role, tuple[Condition, ...]], notes: tuple[str, ...]
) -> RunFile:
    """What run.json says of a run.

    Args:
        request: what the user asked for.
        task: the loaded task.
        systems: the conditions each system is asked under.
        notes: remarks for the reader of the report.
    """
    conditions = systems["model"]
    infos = {role: _system_info(request.systems[role], request.dtype, systems[role]) for role in systems}
    about = _task_info(request.task, task)
    identity = {
        "systems": {role: info.identity for role, info in infos.items()},
        "task": [about.identity, about.version],
        # Which layers lie on which card decides no number: each is computed as on one card, by the same
        # kernels in the same order. So the device map is in the environment alone.
        "dtype": request.dtype,
        "attention": request.attention,
        "seed": request.seed,
        "device": request.device_kind,
        "speechzoo": __version__,
        **_varied(request),
    }
    return RunFile(
        speechzoo=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        fingerprint=digest(identity)[:16],
        signature=_signature(request, about, conditions),
        task=about,
        systems=infos,
        transcriber=request.transcriber.identity() if request.transcriber else None,
        channel=str(request.channel),
        voice=request.voice.identity() if request.voice else None,
        conditions=conditions,
        limit=request.limit,
        shard=str(request.shard) if request.shard else None,
        seed=request.seed,
        device=request.device,
        environment=_environment(request),
        notes=notes,
    )


def _signature(request: Request, about: TaskInfo, conditions: tuple[Condition, ...]) -> str:
    """The line that names, pins and re-runs a result."""
    changed = {f"model.{key}": value for key, value in request.systems["model"].changed.items()}
    changed |= {f"task.{key}": value for key, value in request.task.changed.items()}
    rival = request.systems.get("rival")
    if rival is not None:
        changed |= {f"rival.{key}": value for key, value in rival.changed.items()}
    identities = {role: component.identity() for role, component in request.systems.items()}
    spoken_by = [request.voice.identity()] if request.voice else []
    return write_signature(
        {
            "task": request.task.name,
            "version": about.version,
            "data": request.task.revision[:8],
            "model": request.systems["model"].name,
            # Of all systems, their parts, packages and files, of the task's own parts and of the voice.
            "revision": digest([identities, request.task.identity(), *spoken_by])[:8],
            "rival": rival.name if rival else "",
            "conditions": ",".join(conditions),
            "channel": str(request.channel),
            "voice": request.voice.name if request.voice else "",
            "limit": str(request.limit) if request.limit else "",
            "set": write_settings(changed),
            "dtype": request.dtype,
            "attention": request.attention,
            "device": request.device_kind,
            "seed": str(request.seed),
            "speechzoo": __version__,
        }
    )


def _varied(request: Request) -> JsonObject:
    """Nothing for clips as the data set has them: such a run is what it was before there were channels."""
    channel = {"channel": str(request.channel)} if str(request.channel) else {}
    return channel | ({"voice": request.voice.identity()} if request.voice else {})


def _system_info(component: Component, dtype: str, conditions: tuple[Condition, ...]) -> SystemInfo:
    entry = component.entry
    return SystemInfo(
        identity=component.identity(),
        summary=entry.summary if entry else component.spec.summary,
        licence=entry.licence if entry else "unknown",
        changed=dict(component.changed),
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
        changed=dict(component.changed),
        metrics=tuple(
            MetricInfo(
                name=metric.name,
                chance=metric.chance,
                higher_is_better=metric.higher_is_better,
                low=metric.low,
                high=metric.high,
                invalid_counts_as=metric.invalid_counts_as,
            )
            for metric in task.metrics
        ),
        published=entry.published if isinstance(entry, DataEntry) else (),
    )


def _environment(request: Request) -> dict[str, str]:
    """Versions of the plugins at work and of what they directly require; what else was allowed or set.

    None of it is part of the fingerprint; `speechzoo.run.verify` tells whether batches change an answer.
    """
    plugins = {part.package.split()[0] for component in request.components() for part in component.whole()}
    needed = {Requirement(line).name for name in plugins for line in requires(name) or ()}
    versions = {"python": platform.python_version(), "platform": platform.platform()}
    versions["batch tokens"] = str(request.batch_tokens)
    if "OMP_NUM_THREADS" in os.environ:  # sums over another number of threads round differently
        versions["OMP_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"]
    if request.device_map:
        versions["device map"] = request.device_map
    if request.trust_remote_code:
        versions["code of checkpoints"] = "allowed to run"
    for name in sorted(plugins | needed | {"speechzoo", "torch", "transformers"}):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:  # an extra that is not installed
            continue
    return versions | _apart(request)


def _apart(request: Request) -> dict[str, str]:
    """Python and packages of the environments that systems have to themselves, by the system's name."""
    versions: dict[str, str] = {}
    for component in request.systems.values():
        if (made := component.made_environment()) is not None:
            own = {"python": made.python, **made.versions()}
            versions |= {f"{component.name}: {name}": version for name, version in own.items()}
    return versions


def refuse_another_run(folder: Path, old: RunFile, new: RunFile) -> None:
    """A folder belongs to one model and one task; anything else is decided answer by answer."""
    fields: dict[str, tuple[object, object]] = {
        "model": (old.systems["model"].identity, new.systems["model"].identity),
        "dtype": (old.systems["model"].dtype, new.systems["model"].dtype),
        "attention": (_attention(old), _attention(new)),
        "task": (old.task.identity["name"], new.task.identity["name"]),
        "seed": (old.seed, new.seed),
        "shard": (old.shard or "none", new.shard or "none"),
        "channel": (old.channel, new.channel),
        "voice": (old.voice, new.voice),
    }
    differing = [difference for name, (a, b) in fields.items() for difference in differences(name, a, b)]
    differing += beyond(old, new.conditions, new.limit)
    if differing:
        told = "\n  ".join(differing)
        raise StoreError(f"{folder} holds another run; choose another --out. What differs:\n  {told}")


def refuse_another_signature(wanted: Mapping[str, str], run: RunFile) -> None:
    """Raises `SpeechzooError` if the fields of a signature line are not those of this run."""
    found = read_signature(run.signature)
    differing = [
        f"{name}: {value} in the signature, {found.get(name, 'nothing')} here"
        for name, value in wanted.items()
        if found.get(name) != value
    ]
    if differing:
        raise SpeechzooError("this is not what the signature names:\n  " + "\n  ".join(differing))


def _attention(run: RunFile) -> str:
    return read_signature(run.signature).get("attention", "the model's own")


def beyond(old: RunFile, conditions: Collection[Condition], limit: int | None) -> list[str]:
    """What a run asks that is not asked now: a report of all must not be overwritten by one of a few."""
    told = [
        f"condition {condition}: asked there, not now"
        for condition in old.conditions
        if condition not in conditions
    ]
    if limit is not None and (old.limit is None or old.limit > limit):
        told.append(f"limit: {old.limit or 'none'} there, {limit} now")
    return told


def differences(name: str, old: object, new: object) -> list[str]:
    """What differs between a run and what is wanted now, a line for each field, mappings field by field."""
    """Where two values differ, each with its path: ``model.revision: 1a2b there, 3c4d now``."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            line
            for key in sorted({*old, *new})
            for line in differences(f"{name}.{key}", old.get(key), new.get(key))
        ]
    return [] if old == new else [f"{name}: {old} there, {new} now"]


def digest(value: JsonObject | list[object]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
