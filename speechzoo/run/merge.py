"""Puts the shards of a run together: the folder is then as if one call had asked everything."""

import shutil
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from speechzoo.asks import Failure
from speechzoo.errors import SpeechzooError, StoreError
from speechzoo.run.evaluate import failed_by_machine
from speechzoo.run.records import (
    AnswerRecord,
    GradeRecord,
    JudgementRecord,
    Key,
    Role,
    RunFile,
    RunItem,
    TranscriptRecord,
)
from speechzoo.run.results import read_results, valid_answers
from speechzoo.run.shard import read_shard
from speechzoo.run.signature import read_signature
from speechzoo.run.store import AppendFile, Store, read_lines, read_run
from speechzoo.specs import Condition, JsonObject

Planned = dict[str, dict[str, str]]
"""The basis that an answer must have, by item and by the way it is asked."""

Asking = tuple[Role, str, Condition]
"""An item as one system is asked it: plainly, as a probe, and its prior."""


@dataclass(frozen=True)
class ShardFolder:
    """A shard's folder, read.

    ``items`` are those of all shards; an item of another one has nothing planned here.
    """

    folder: Path
    run: RunFile
    items: tuple[RunItem, ...]
    answers: Mapping[Key, AnswerRecord]


def merge(out: Path, folders: Sequence[Path]) -> list[str]:
    """Writes a run's folder from those of all its shards; returns what its reader has to know.

    One shard may come twice, from a job that was repeated: see `_answers` for what is kept. The folder is
    there whole, or, if anything interrupts this, not at all.

    Raises:
        SpeechzooError: ``out`` is in use, a shard is missing, unfinished or of another run.
        StoreError: a folder is no run, damaged, or cannot be written.
    """
    _refuse_used(out)
    shards = [_read(folder) for folder in folders]
    _refuse_other_runs(shards)
    _refuse_missing(shards)
    for shard in shards:
        _refuse_unfinished(shard)
    answers, differing = _answers(shards)
    first = shards[0].run
    told = [*_nondeterminism(differing), *_environments(shards)]
    run = first.model_copy(
        update={
            "shard": None,
            "asked": None,
            "created": min(shard.run.created for shard in shards),
            "notes": (*first.notes, *told),
        }
    )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as scratch:
            draft = Path(scratch) / out.name
            _write(draft, run, shards, list(answers.values()))
            draft.rename(out)
    except OSError as error:
        raise StoreError(f"{out} cannot be made: {error}") from error
    return told


def _refuse_used(out: Path) -> None:
    if (out / "run.json").exists():
        raise SpeechzooError(
            f"{out} holds a run already; name a new folder, or see it with: speechzoo report {out}"
        )
    if out.exists() and any(out.iterdir()):
        raise SpeechzooError(f"{out} is not empty; name a new folder")


def _write(
    folder: Path, run: RunFile, shards: Sequence[ShardFolder], answers: Sequence[AnswerRecord]
) -> None:
    with Store(folder) as store:
        for shard in shards:
            _keep_audio(shard, store.audio)
        store.add_answers(answers)
        store.add_grades(_grades(shards))
        _merge_judgements(folder, shards)
        store.write_plan(run, _items(shards))
        if run.transcriber is not None:
            store.write_transcripts(_transcripts(shards))


def _read(folder: Path) -> ShardFolder:
    run = read_run(folder)
    if run.shard is None:
        raise SpeechzooError(f"{folder} is a whole run, no shard of one (eval --shard 1/8)")
    items = tuple(read_lines(folder / "items.jsonl", RunItem))
    answers = valid_answers(items, read_lines(folder / "answers.jsonl", AnswerRecord))
    return ShardFolder(folder, run, items, answers)


def _refuse_other_runs(shards: Sequence[ShardFolder]) -> None:
    """Shards are of one run if everything that decides a number is equal, and what is asked."""
    first = shards[0]
    for other in shards[1:]:
        differing = [
            f"{name}: {one} there, {two} here"
            for name, (one, two) in _compared(first.run, other.run).items()
            if one != two
        ]
        if not differing and (first.run.asked, _told(first)) != (other.run.asked, _told(other)):
            differing = ["items: other items, or the same with other content"]
        if differing:
            told = "\n  ".join(differing)
            raise SpeechzooError(
                f"{other.folder} is of another run than {first.folder}. What differs:\n  {told}"
            )


def _compared(one: RunFile, two: RunFile) -> dict[str, tuple[object, object]]:
    signatures = read_signature(one.signature), read_signature(two.signature)
    fields: dict[str, tuple[object, object]] = {
        name: (signatures[0].get(name), signatures[1].get(name))
        for name in dict.fromkeys((*signatures[0], *signatures[1]))
    }
    return fields | {
        "number of shards": (read_shard(str(one.shard)).count, read_shard(str(two.shard)).count),
        "fingerprint": (one.fingerprint, two.fingerprint),
        "transcriber": (one.transcriber, two.transcriber),
        "notes": (one.notes, two.notes),
    }


def _told(shard: ShardFolder) -> list[tuple[object, ...]]:
    """What the items are, wherever a machine keeps their clips; what is in those, ``asked`` digests."""
    return [
        (
            *(item.id, item.cluster, item.attributes, item.chance),
            {condition: (ask.text, ask.spoken, ask.seconds) for condition, ask in item.asks.items()},
            {condition: reason for condition, (reason, _) in item.failures.items()},
        )
        for item in shard.items
    ]


def _refuse_missing(shards: Sequence[ShardFolder]) -> None:
    there = {read_shard(str(shard.run.shard)).number for shard in shards}
    count = read_shard(str(shards[0].run.shard)).count
    missing = [f"{number}/{count}" for number in range(1, count + 1) if number not in there]
    if missing:
        raise SpeechzooError(
            f"{len(missing)} of {count} shards are missing: {', '.join(missing)}. Run each as the others, or "
            f"with\n  speechzoo eval --signature '{shards[0].run.signature}' --shard {missing[0]}"
        )


def _refuse_unfinished(shard: ShardFolder) -> None:
    open_answers = sum(len(item.planned) for item in shard.items) - len(shard.answers)
    results = read_results(shard.folder).results.values()
    open_grades = sum(isinstance(r.outcome, Failure) and r.outcome.reason == "not_graded" for r in results)
    if open_answers or open_grades:
        what = f"{open_answers} answers" if open_answers else f"{open_grades} grades"
        raise SpeechzooError(
            f"{shard.folder} (shard {shard.run.shard}) is not finished, {what} are missing: the command that "
            "began it takes it up again"
        )


def _answers(shards: Sequence[ShardFolder]) -> tuple[dict[Key, AnswerRecord], list[Key]]:
    """One answer for each key, and the keys that were answered differently by two folders.

    The first is kept, unless the machine failed there and did not elsewhere. An answer and the prior that it
    is held against come from one folder, where they were graded together.
    """
    kept: dict[Key, AnswerRecord] = {}
    differing = []
    for shard in shards:
        before = {key: kept[key] for key in shard.answers if key in kept}
        better = _asked_in_vain(before) - _asked_in_vain(shard.answers)
        for key, record in shard.answers.items():
            if key in before and _differ(before[key].answer, record.answer):
                differing.append(key)
            if key not in before or _asking(key) in better:
                kept[key] = record
    return kept, differing


def _asked_in_vain(answers: Mapping[Key, AnswerRecord]) -> set[Asking]:
    return {_asking(key) for key, record in answers.items() if failed_by_machine(record.answer)}


def _asking(key: Key) -> Asking:
    return key.role, key.item, key.condition


def _differ(one: JsonObject, other: JsonObject) -> bool:
    """What a machine failed at says nothing about the model."""
    if failed_by_machine(one) or failed_by_machine(other):
        return False
    return _untimed(one) != _untimed(other)


def _untimed(answer: JsonObject) -> JsonObject:
    """How long it took is no part of an answer."""
    own = {name: value for name, value in answer.items() if name != "timings"}
    if "replies" in own:
        own["replies"] = [_untimed(reply) for reply in own["replies"]]
    return own


def _nondeterminism(differing: Sequence[Key]) -> list[str]:
    if not differing:
        return []
    key = differing[0]
    return [
        f"{len(differing)} asks were answered differently by two jobs, such as {key.item!r} ({key.way}): the "
        "model is not deterministic there; one of the answers is kept"
    ]


def _environments(shards: Sequence[ShardFolder]) -> list[str]:
    """Versions that are in no fingerprint and differ from job to job."""
    found: dict[str, set[str]] = defaultdict(set)
    for shard in shards:
        for name, value in shard.run.environment.items():
            found[name].add(value)
    odd = {name: values for name, values in found.items() if len(values) > 1 and name != "platform"}
    return [f"shards ran with {name} {' and '.join(sorted(values))}" for name, values in sorted(odd.items())]


def _grades(shards: Sequence[ShardFolder]) -> list[GradeRecord]:
    """Each once; what a shard graded again later comes later."""
    records: dict[tuple[Key, str], GradeRecord] = {}
    for shard in shards:
        for grade in read_lines(shard.folder / "grades.jsonl", GradeRecord):
            records[grade.key, grade.basis] = grade
    return list(records.values())


def _merge_judgements(out: Path, shards: Sequence[ShardFolder]) -> None:
    """All of them, those paid for twice too."""
    records = [
        record
        for shard in shards
        for record in read_lines(shard.folder / "judgements.jsonl", JudgementRecord)
    ]
    if records:
        file = AppendFile(out / "judgements.jsonl")
        file.append(records)
        file.close()


def _items(shards: Sequence[ShardFolder]) -> list[RunItem]:
    """In the order of the task, with what any shard planned for them."""
    planned: Planned = defaultdict(dict)
    for shard in shards:
        for item in shard.items:
            planned[item.id] |= item.planned
    return [item.model_copy(update={"planned": planned[item.id]}) for item in shards[0].items]


def _transcripts(shards: Sequence[ShardFolder]) -> list[TranscriptRecord]:
    heard = {
        record.item: record
        for shard in shards
        for record in read_lines(shard.folder / "transcripts.jsonl", TranscriptRecord)
    }
    return [heard[item.id] for item in shards[0].items if item.id in heard]


def _keep_audio(shard: ShardFolder, audio: Path) -> None:
    """Clips are called by their content: one that is there already is the same."""
    try:
        for clip in (shard.folder / "audio").iterdir():
            shutil.copyfile(clip, audio / clip.name)
    except OSError as error:
        raise StoreError(f"{error.filename} cannot be copied to {audio}: {error.strerror}") from error
