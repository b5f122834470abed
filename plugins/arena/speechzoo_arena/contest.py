"""Who meets on what: the answers of finished runs of one task, by item and system."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from speechzoo import (
    Answer,
    Condition,
    DialogueAnswer,
    Failure,
    Item,
    ItemError,
    Message,
    ReplyAnswer,
    SpeechzooError,
    Task,
)
from speechzoo.asks import DialogueAsk, ReplyAsk, replies_of
from speechzoo.catalogue import Catalogue
from speechzoo.loading import Component
from speechzoo.registry import Value
from speechzoo.run.describe import digest
from speechzoo.run.records import Key, Results
from speechzoo.run.results import read_results
from speechzoo.setup import LoadOptions
from speechzoo.specs import JsonObject

PREFERRED = (Condition.S2S, Condition.T2S, Condition.S2T, Condition.T2T)
"""Of several conditions that all runs have: the first of these."""

UNUSED_PARTS = ("judge",)
"""Parts of a task that only its grades need."""


@dataclass(frozen=True)
class System:
    """One run in the arena.

    Attributes:
        name: of its model, told apart by folder where two are equal.
        results: the run.
        answers: by item; a failure where the run has no answer.
    """

    name: str
    results: Results
    answers: Mapping[str, Answer | Failure]

    @property
    def digest(self) -> str:
        """Of all replies: their texts, and their clips by the hash that names the file."""
        told = {
            item: [[reply.text, _file_name(reply)] for reply in replies_of(answer)]
            for item, answer in sorted(self.answers.items())
        }
        return digest(cast(JsonObject, told))[:16]


@dataclass(frozen=True)
class Contest:
    """Several systems' answers to the same items.

    Attributes:
        systems: in the order given.
        condition: which their answers are of.
        notes: what a reader must know about the runs.
    """

    systems: tuple[System, ...]
    condition: Condition
    notes: tuple[str, ...]

    @property
    def first(self) -> Results:
        return self.systems[0].results


def read_contest(folders: Sequence[Path], condition: Condition | None) -> Contest:
    """The runs, if they can be held against each other.

    Args:
        folders: of finished runs.
        condition: which their answers are taken from; None for the one that all have, spoken on both sides
            where there are several.

    Raises:
        SpeechzooError: the runs are not of the same task, version and data, or have no condition in common.
        StoreError: a folder is no run, or damaged.
    """
    if len(folders) < 2:
        raise SpeechzooError("an arena needs at least two runs")
    runs = [read_results(folder) for folder in folders]
    for other in runs[1:]:
        _require_same_task(runs[0], other)
    chosen = _condition(runs, condition)
    systems = [
        System(name, run, _answers(run, chosen)) for name, run in zip(system_names(runs), runs, strict=True)
    ]
    return Contest(tuple(systems), chosen, tuple(_option_notes(systems)))


def load_task(contest: Contest, catalogue: Catalogue, data: str | None, options: LoadOptions) -> Component:
    """The task of the runs, as a component that can be loaded.

    Args:
        contest: whose first run says which.
        catalogue: knows it by name.
        data: where its data lie, if the runs were given other than the registered ones.
        options: how it will be loaded.

    Raises:
        SpeechzooError: the task is not installed, or its data are not those of the runs.
    """
    identity = contest.first.run.task.identity
    task = catalogue.task(identity["name"], _settings(identity), data)
    task.require(options.trust_remote_code)
    if task.revision != identity["revision"]:
        raise SpeechzooError(
            f"the runs are of the data {identity['revision'] or 'of no revision'}, here {task.name} has "
            f"{task.revision or 'none'}: name the folder that the runs were made with, --data DIR"
        )
    return task


def require_version(contest: Contest, task: Task) -> None:
    """Raises `SpeechzooError` if the task here is of another version than that of the runs."""
    theirs = contest.first.run.task.version
    if task.version != theirs:
        raise SpeechzooError(f"the runs are of version {theirs} of their task, installed is {task.version}")


def as_dialogue(task: Task, item: Item, condition: Condition, answer: Answer) -> tuple[Item, DialogueAnswer]:
    """An item and its answer as a dialogue, of a single turn where the task asks for one reply.

    Args:
        task: whose item it is.
        item: a dialogue's data hold ``turns``, ``transcriptions`` and ``cues``; of another item the user's
            turns are taken from what the task asks, in its spoken form.
        condition: of the answer.
        answer: a reply or a dialogue.

    Raises:
        ItemError: the answer is no reply, the task has no spoken form, or a turn of the user is not one clip.
    """
    if isinstance(answer, ReplyAnswer):
        answer = DialogueAnswer((answer,))
    if not isinstance(answer, DialogueAnswer):
        raise ItemError("no_reply", f"an arena is of replies, got {type(answer).__name__}")
    if "turns" in item.data:
        return item, answer
    messages = _user_turns(task, item, condition)
    for message in messages:
        if len(message.clips) != 1:
            raise ItemError("not_one_clip", f"a turn of the user has {len(message.clips)} clips, not one")
    heard = [message.clips[0] for message in messages]
    return replace(
        item,
        data={
            **item.data,
            "turns": heard,
            "transcriptions": [
                " ".join(filter(None, (message.text, clip.transcript)))
                for message, clip in zip(messages, heard, strict=True)
            ],
            "cues": [[] for _ in messages],
        },
    ), answer


def _user_turns(task: Task, item: Item, condition: Condition) -> tuple[Message, ...]:
    """The user's turns as the task asks them, in speech."""
    spoken = [own for own in (condition, *PREFERRED) if own.speech_in and own in task.conditions]
    if not spoken:
        raise ItemError("no_speech", "the task asks nothing in speech; an arena is of spoken dialogues")
    ask = task.ask(item, spoken[0])
    if isinstance(ask, DialogueAsk):
        return ask.turns
    if not isinstance(ask, ReplyAsk):
        raise ItemError("no_reply", "the task asks for scores; an arena is of replies")
    return tuple(message for message in ask.dialogue if message.role == "user")[-1:]


def _require_same_task(one: Results, two: Results) -> None:
    """Options may differ, and are told of; name, version and data may not."""
    mine, others = one.run.task, two.run.task
    fields = [(key, mine.identity[key], others.identity[key]) for key in ("name", "adapter", "revision")]
    differing = [
        f"{field}: {own!r} and {other!r}"
        for field, own, other in [*fields, ("version", mine.version, others.version)]
        if own != other
    ]
    if differing:
        raise SpeechzooError(
            f"{one.folder} and {two.folder} are not runs of the same task and data; they differ in "
            + "; ".join(differing)
        )


def _condition(runs: Sequence[Results], wanted: Condition | None) -> Condition:
    asked = [run.run.systems["model"].conditions for run in runs]
    shared = [own for own in PREFERRED if all(own in conditions for conditions in asked)]
    if wanted is not None:
        shared = [own for own in shared if own == wanted]
    if not shared:
        told = "; ".join(f"{run.folder} has {', '.join(own)}" for run, own in zip(runs, asked, strict=True))
        lacking = f"not all runs have {wanted}" if wanted else "the runs have no condition in common"
        raise SpeechzooError(f"{lacking}: {told}")
    return shared[0]


def system_names(runs: Sequence[Results]) -> list[str]:
    """By model; runs of one model are told apart by the name of their folder, then by all of its path.

    Raises:
        SpeechzooError: a run is named twice.
    """
    models = [str(run.run.systems["model"].identity["name"]) for run in runs]
    paths = [run.folder.resolve() for run in runs]
    names = _told_apart(models, models, [path.name for path in paths])
    names = _told_apart(names, models, [str(path) for path in paths])
    if len(set(names)) < len(names):
        raise SpeechzooError("a run is named twice: " + ", ".join(str(run.folder) for run in runs))
    return names


def _told_apart(names: Sequence[str], models: Sequence[str], places: Sequence[str]) -> list[str]:
    return [
        name if names.count(name) == 1 else f"{model} ({place})"
        for name, model, place in zip(names, models, places, strict=True)
    ]


def _answers(run: Results, condition: Condition) -> dict[str, Answer | Failure]:
    missing = Failure("not_answered", "the run was stopped before it was asked")
    found = {}
    for item in run.items:
        result = run.results.get(Key(role="model", item=item, condition=condition))
        found[item] = result.answer if result else missing
    return found


def _option_notes(systems: Sequence[System]) -> list[str]:
    """Options of the task that were not the same for all."""
    options = {own.name: own.results.run.task.identity["parameters"] for own in systems}
    notes = list(_part_notes(systems))
    for name in dict.fromkeys(key for own in options.values() for key in own):
        values = {system: own.get(name) for system, own in options.items()}
        if len({str(value) for value in values.values()}) > 1:
            told = ", ".join(f"{value} for {system}" for system, value in values.items())
            notes.append(f"The runs were made with different options of the task, {name}: {told}.")
    return notes


def _part_notes(systems: Sequence[System]) -> Iterator[str]:
    """Parts of the task that were not the same for all, such as the judge of their grades."""
    parts = {own.name: own.results.run.task.identity["parts"] for own in systems}
    for role in dict.fromkeys(role for own in parts.values() for role in own):
        if len({digest(own.get(role)) for own in parts.values()}) > 1:
            told = ", ".join(f"{_part_name(own.get(role))} for {system}" for system, own in parts.items())
            yield f"The runs were made with different parts of the task, {role}: {told}."


def _part_name(part: JsonObject | None) -> str:
    """With its settings: they may be all that differs."""
    if part is None:
        return "none"
    settings = ", ".join(f"{name}={value}" for name, value in part["parameters"].items())
    return f"{part['name']} ({settings})" if settings else str(part["name"])


def judged_differently(runs: Mapping[str, Results]) -> bool:
    """Whether the runs' grades are of different judges, so that they cannot be held against each other."""
    return len({digest(run.run.task.identity["parts"].get("judge")) for run in runs.values()}) > 1


def _settings(identity: JsonObject) -> dict[str, Value]:
    """What makes the catalogue's task the one of this identity; parts that only grades need are left out."""
    settings: dict[str, Value] = {
        key: value for key, value in identity["parameters"].items() if key != "subset"
    }
    for role, part in identity["parts"].items():
        settings[role] = part["name"]
        settings |= {f"{role}.{key}": value for key, value in part["parameters"].items()}
    for role in UNUSED_PARTS:
        if role in identity["parts"]:
            settings = {key: value for key, value in settings.items() if key.partition(".")[0] != role}
            settings[role] = ""
    return settings


def _file_name(reply: ReplyAnswer) -> str | None:
    return reply.clip.data.name if reply.clip and isinstance(reply.clip.data, Path) else None
