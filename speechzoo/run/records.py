"""What lies in a run's folder, as data. Every stage reads what the stage before wrote.

``run.json``           what was run: systems, task, options, fingerprint (`RunFile`)
``items.jsonl``        the planned items and what they ask, for reports (`RunItem`)
``answers.jsonl``      one line an answer (`AnswerRecord`)
``judgements.jsonl``   what a judge said of the answers, if the task has one (`JudgementRecord`)
``transcripts.jsonl``  what a recogniser hears in an item, if one was asked for (`TranscriptRecord`)
``grades.jsonl``       one line a grade (`GradeRecord`)
``audio/``             spoken replies, FLAC by content hash
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict

from speechzoo.asks import Answer, Failure
from speechzoo.audio import AudioClip
from speechzoo.judging import Usage
from speechzoo.registry import Published
from speechzoo.run import wire
from speechzoo.run.files import write_whole
from speechzoo.specs import Condition
from speechzoo.task import Grade

SCHEMA_VERSION = 1

Role = Literal["model", "base", "rival"]
"""Of a system in a run: the model under test, its base text LLM, and the rival it is held against."""

Variant = Literal["", "silence", "swapped", "prior"]
"""How an ask was changed: not at all, its clips silenced, its clips those of another item, no context."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Key:
    """What an answer answers; unique in a run. There are millions of them in a large one."""

    role: Role
    item: str
    condition: Condition
    variant: Variant = ""

    @property
    def way(self) -> str:
        """How the item is asked, without the item: ``model/s2t/swapped``."""
        return f"{self.role}/{self.condition}/{self.variant}"


class AnswerRecord(_Record):
    """A line of answers.jsonl.

    ``basis`` digests the ask and everything about the system that can change its answer; ``answer``
    is as `answer_to_json` makes it.
    """

    key: Key
    basis: str
    answer: dict[str, Any]


class GradeRecord(_Record):
    """A line of grades.jsonl.

    ``basis`` digests the answer and the task that graded it; ``wer`` is the word error rate of what
    the system heard against what is said, where both are known; ``by_turn`` is as in `Grade`.
    """

    key: Key
    basis: str
    values: dict[str, float] = {}
    weight: float = 1.0
    tie: bool = False
    details: dict[str, Any] = {}
    by_turn: tuple[dict[str, float], ...] = ()
    failure: str | None = None
    failure_detail: str = ""
    wer: float | None = None

    def outcome(self) -> Grade | Failure:
        if self.failure is not None:
            return Failure(self.failure, self.failure_detail)
        return Grade(self.values, self.weight, self.tie, self.details, self.by_turn)


class JudgementRecord(_Record):
    """A line of judgements.jsonl.

    Attributes:
        basis: digest of the judge and of all it was asked.
        judge: digest of the judge alone, whose name may stand for another later.
        answer: the form, or None if what it said is none.
        raw: what it said.
        input_tokens: that it read and heard, and so on: see `Usage`.
    """

    basis: str
    judge: str
    answer: dict[str, Any] | None
    raw: str
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None

    @property
    def usage(self) -> Usage:
        return Usage(self.input_tokens, self.output_tokens, self.cost)


def usage_of(records: Iterable[JudgementRecord]) -> Usage:
    """Of all of them together; its cost is None if that of any is unknown."""
    usages = [record.usage for record in records]
    costs = [usage.cost for usage in usages if usage.cost is not None]
    return Usage(
        input_tokens=sum(usage.input_tokens for usage in usages),
        output_tokens=sum(usage.output_tokens for usage in usages),
        cost=sum(costs) if len(costs) == len(usages) else None,
    )


class TranscriptRecord(_Record):
    """A line of transcripts.jsonl: what the run's transcriber heard in an item's clips.

    ``wer`` is its word error rate against what is said in them.
    """

    item: str
    text: str | None = None
    wer: float | None = None
    failure: str | None = None
    failure_detail: str = ""


class ShownAsk(_Record):
    """An ask as a report shows it: texts, the clips' paths, and what is said in them.

    A clip that came from memory is kept in the run's folder, and its path is relative to that. A
    continuation that is a clip is shown by what is said in it, its path among ``spoken_continuations``;
    ``seconds`` are those of all clips that are heard, with several contexts those of the longest.
    """

    text: str
    continuations: tuple[str, ...] = ()
    spoken_continuations: tuple[str, ...] = ()
    clips: tuple[str, ...] = ()
    seconds: float | None = None
    spoken: str | None = None


class RunItem(_Record):
    """A line of items.jsonl.

    ``planned`` names the basis an answer must have to count, by the way the item is asked (`Key.way`);
    an item that could not be asked under a condition has a failure there instead.
    """

    id: str
    cluster: str
    attributes: dict[str, str | int | float]
    chance: float | None = None
    asks: dict[Condition, ShownAsk]
    planned: dict[str, str] = {}
    failures: dict[Condition, tuple[str, str]] = {}


class PlannedItem(Protocol):
    """A `RunItem`, of which perhaps not all is kept in memory."""

    @property
    def id(self) -> str: ...
    @property
    def cluster(self) -> str: ...
    @property
    def attributes(self) -> dict[str, str | int | float]: ...
    @property
    def chance(self) -> float | None: ...
    @property
    def asks(self) -> dict[Condition, ShownAsk]: ...
    @property
    def planned(self) -> dict[str, str]: ...
    @property
    def failures(self) -> dict[Condition, tuple[str, str]]: ...


class MetricInfo(_Record):
    """A metric of the run's task, as `speechzoo.task.Metric` says."""

    name: str
    chance: float | None
    higher_is_better: bool | None
    low: float
    high: float | None
    invalid_counts_as: Mapping[str, float] | None = None


class SystemInfo(_Record):
    """One system of a run: its identity (part of the fingerprint) and what a reader wants to know."""

    identity: dict[str, Any]
    summary: str
    licence: str
    changed: dict[str, Any]
    dtype: str
    conditions: tuple[Condition, ...] = ()


class TaskInfo(_Record):
    identity: dict[str, Any]
    version: str
    summary: str
    licence: str
    citation: str
    changed: dict[str, Any]
    metrics: tuple[MetricInfo, ...]
    published: tuple[Published, ...] = ()


class RunFile(_Record):
    """run.json.

    ``transcriber`` is the identity of the recogniser that listened to the clips for the report, in this call
    or in one before; it decides no score, and is no part of fingerprint and signature. ``channel`` is what
    befell every clip before it was heard, as `speechzoo.channel.Channel` names it, and ``voice`` the identity
    of the one that spoke their words anew; "" and None where the clips are the data set's own. ``shard`` says
    which part of the items this folder holds answers for, such as ``2/8``; None means all. Of a part,
    ``asked`` digests all that the whole run asks: parts that are put together must agree on it.
    """

    schema_version: int = SCHEMA_VERSION
    speechzoo: str
    created: str
    fingerprint: str
    signature: str
    task: TaskInfo
    systems: dict[Role, SystemInfo]
    transcriber: dict[str, Any] | None = None
    channel: str = ""
    voice: dict[str, Any] | None = None
    conditions: tuple[Condition, ...]
    limit: int | None
    shard: str | None = None
    asked: str | None = None
    seed: int
    device: str
    environment: dict[str, str]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """One graded answer, as the report sees it.

    Attributes:
        key: system, item, condition and variant.
        answer: what the system answered.
        outcome: its grade, or why it has none.
        wer: word error rate of what the system heard against what was said, where both are known.
        truncated: a reply was cut at its token limit.
    """

    key: Key
    answer: Answer | Failure
    outcome: Grade | Failure
    wer: float | None
    truncated: bool


@dataclass(frozen=True)
class Judging:
    """What a run's judge said in all: how often, how often no valid form, and what it took."""

    judge: str
    judgements: int
    invalid: int
    usage: Usage


@dataclass(frozen=True)
class Results:
    """A run's folder, read. Long texts and answers may be read again whenever they are looked at.

    ``audio_wer`` is the word error rate of the run's transcriber on what each item has to be heard, by
    item, where a transcriber was asked for; ``judging`` is None for a task without a judge.
    """

    folder: Path
    run: RunFile
    items: Mapping[str, PlannedItem]
    results: Mapping[Key, Result]
    audio_wer: Mapping[str, float] = field(default_factory=dict)
    judging: Judging | None = None


def answer_to_json(answer: Answer | Failure, audio: Path) -> dict[str, Any]:
    """The answer as JSON; its clips are written to the folder ``audio`` under their hash."""
    return wire.answer_to_json(answer, lambda clip: keep_clip(clip, audio))


def answer_from_json(record: Mapping[str, Any], audio: Path) -> Answer | Failure:
    """What `answer_to_json` wrote."""
    return wire.answer_from_json(record, lambda name: AudioClip.from_file(audio / name))


def clip_file_name(clip: AudioClip) -> str:
    """What a clip is called in a run's audio folder: its hash, and an ending by its first bytes."""
    endings = {b"fLaC": "flac", b"OggS": "ogg", b"RIFF": "wav"}
    return f"{clip.digest}.{endings.get(clip.encoded()[:4], 'audio')}"


def keep_clip(clip: AudioClip, audio: Path) -> str:
    """Writes a clip into a run's audio folder; a file that is there already is the same.

    Raises:
        StoreError: there is no room for it.
    """
    name = clip_file_name(clip)
    if not (audio / name).exists():
        write_whole(audio / name, clip.encoded())
    return name
