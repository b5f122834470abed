"""Holds the answers to a sample asked again in other ways against those of the run."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from speechzoo import __version__
from speechzoo.agreement import TOLERANCE, Agreement, Level, agreement, content
from speechzoo.asks import Answer, Failure, ScoreAnswer, replies_of
from speechzoo.errors import SpeechzooError, StoreError
from speechzoo.gap.findings import Report
from speechzoo.gap.invariance_findings import Difference, Effect, Invariance, WayFinding
from speechzoo.gap.probes import highest_temperature
from speechzoo.run.describe import differences, digest
from speechzoo.run.files import write_whole
from speechzoo.run.records import Key, Result, Results, Role, RunFile
from speechzoo.run.verify import Asked, NotAsked, Way
from speechzoo.specs import Condition
from speechzoo.task import Grade

FILE = "verification.json"
GRADE_MOVED = 1e-3
WORST_FIRST: tuple[Level, ...] = ("differs", "within tolerance", "identical")
MOST_NAMED = 20
MOST_CHARACTERS = 300
# A judge is not paid twice: its silence on a new answer is no change of the grade.
NOT_JUDGED = "judge_budget"


def invariance(run: Results, ways: Iterable[tuple[Way, Asked | NotAsked]]) -> Invariance:
    """What became of the run's answers, way by way.

    Args:
        run: whose answers all are held against; what was asked ``again``, against the way before it.
        ways: how the sample was asked again, and what came of it; the first was gone.

    Raises:
        SpeechzooError: the run has no answer to the sample yet.
    """
    came = iter(ways)
    way, sample = next(came)
    assert isinstance(sample, Asked)
    findings = [_way_finding(way, sample, run)]
    if not findings[0].asks:
        raise SpeechzooError(f"{run.folder} has no answer to any of the sample: finish the run first")
    for way, asked in came:
        findings.append(_way_finding(way, asked, sample.results if way.name == "again" else run))
    about, items = sample.results.run, tuple(sample.results.items)
    dtype = about.systems["model"].dtype
    return Invariance(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        speechzoo=__version__,
        headline=_headline(findings, len(items)),
        holds=all(finding.verdict != "differs" for finding in findings),
        fingerprint=run.run.fingerprint,
        answers=_digest(run, items),
        items=items,
        of_items=len(run.items),
        dtype=dtype,
        tolerance=TOLERANCE[dtype],
        device=about.device,
        notes=tuple(_notes(run.run, about, findings)),
        ways=tuple(findings),
    )


def _way_finding(way: Way, asked: Asked | NotAsked, against: Results) -> WayFinding:
    if isinstance(asked, NotAsked):
        return WayFinding(way=way.name, changed=way.changed, verdict="not run", why=asked.why)
    dtype, metric = against.run.systems["model"].dtype, against.run.task.metrics[0].name
    pairs = _pairs(against, asked.results)
    found = [(agreement(one.answer, two.answer, dtype), one, two) for one, two in pairs]
    levels = Counter(agreed.level for agreed, _, _ in found)
    differing = [
        _difference(agreed, one, two, metric)
        for agreed, one, two in found
        if agreed.level == "differs" or _moved(_value(one, metric), _value(two, metric))
    ]
    return WayFinding(
        way=way.name,
        changed=way.changed,
        verdict=next((level for level in WORST_FIRST if levels[level]), "identical"),
        batches=len(asked.batches),
        largest_batch=max(map(len, asked.batches), default=0),
        asks=len(found),
        identical=levels["identical"],
        within=levels["within tolerance"],
        differ=levels["differs"],
        largest=max(
            (agreed.difference for agreed, _, _ in found if agreed.difference is not None), default=None
        ),
        effects=tuple(_effects(pairs, metric)),
        differing=tuple(differing[:MOST_NAMED]),
        seconds=asked.seconds,
    )


def write_invariance(folder: Path, found: Invariance) -> None:
    """Keeps it in the run's folder.

    Raises:
        StoreError: the folder cannot be written.
    """
    write_whole(folder / FILE, found.model_dump_json(indent=1) + "\n")


def with_invariance(report: Report, results: Results) -> Report:
    """The report with what lies in the run's folder; a note says so where that is of other answers.

    Raises:
        StoreError: what lies there cannot be read.
    """
    path = results.folder / FILE
    if not path.exists():
        return report
    try:
        found = Invariance.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise StoreError(f"{path} cannot be read by this version of speechzoo:\n{error}") from error
    if (found.fingerprint, found.answers) == (results.run.fingerprint, _digest(results, found.items)):
        return report.model_copy(update={"invariance": found})
    told = f"{FILE} is of answers that have changed since {found.created[:10]}: run 'speechzoo verify' again."
    return report.model_copy(update={"notes": (*report.notes, told)})


def _pairs(before: Results, after: Results) -> list[tuple[Result, Result]]:
    """Answers of the same system to exactly the same ask.

    A probe's clip is another item's, and may be another in a sample: such an ask is another ask.
    """
    return [
        (before.results[key], result)
        for key, result in after.results.items()
        if key in before.results and (basis := _basis(after, key)) and basis == _basis(before, key)
    ]


def _basis(results: Results, key: Key) -> str | None:
    return results.items[key.item].planned.get(key.way) if key.item in results.items else None


def _effects(pairs: Sequence[tuple[Result, Result]], metric: str) -> list[Effect]:
    stages: dict[tuple[Role, Condition], list[tuple[Result, Result]]] = defaultdict(list)
    for one, two in pairs:
        judged = not isinstance(two.outcome, Failure) or two.outcome.reason != NOT_JUDGED
        if not one.key.variant and judged:
            stages[one.key.role, one.key.condition].append((one, two))
    return [_effect(role, condition, own, metric) for (role, condition), own in stages.items()]


def _effect(role: Role, condition: Condition, pairs: Sequence[tuple[Result, Result]], metric: str) -> Effect:
    values = [(_value(one, metric), _value(two, metric), _weight(one)) for one, two in pairs]
    both = [(a, b, weight) for a, b, weight in values if a is not None and b is not None]
    weights = sum(weight for _, _, weight in both)
    return Effect(
        role=role,
        condition=condition,
        items=len(both),
        invalid=len(values) - len(both),
        changed=sum(_moved(a, b) for a, b, _ in values),
        move=sum(weight * (b - a) for a, b, weight in both) / weights if weights else None,
    )


def _moved(before: float | None, after: float | None) -> bool:
    if before is None or after is None:
        return before is not after
    return abs(before - after) > GRADE_MOVED


def _value(result: Result, metric: str) -> float | None:
    return result.outcome.values.get(metric) if isinstance(result.outcome, Grade) else None


def _weight(result: Result) -> float:
    return result.outcome.weight if isinstance(result.outcome, Grade) else 0.0


def _difference(agreed: Agreement, one: Result, two: Result, metric: str) -> Difference:
    return Difference(
        role=one.key.role,
        item=one.key.item,
        condition=one.key.condition,
        variant=one.key.variant,
        level=agreed.level,
        before=_told(one.answer),
        after=_told(two.answer),
        nats=agreed.difference,
        value_before=_value(one, metric),
        value_after=_value(two, metric),
    )


def _told(answer: Answer | Failure) -> str:
    """An answer in a line."""
    if isinstance(answer, Failure):
        told = f"{answer.reason}: {answer.detail}" if answer.detail else answer.reason
    elif isinstance(answer, ScoreAnswer):
        told = ", ".join(f"{score.log_likelihood:.5g} ({score.tokens} tokens)" for score in answer.scores)
        told += f", heard {answer.heard!r}" if answer.heard is not None else ""
    else:
        told = " | ".join(
            f"{reply.text!r}{f', speech {reply.clip.digest[:8]}' if reply.clip else ''}"
            for reply in replies_of(answer)
        )
    return told if len(told) <= MOST_CHARACTERS else f"{told[: MOST_CHARACTERS - 1]}…"


def _digest(results: Results, items: Sequence[str]) -> str:
    """Of what the run answers to these items."""
    wanted = set(items)
    # An answer is read from disk when it is looked at: only those of the sample are.
    own = [key for key in results.results if key.item in wanted]
    return digest({f"{key.way} {key.item}": content(results.results[key].answer) for key in own})[:32]


def _headline(ways: Sequence[WayFinding], items: int) -> str:
    gone = [way for way in ways if way.verdict != "not run"]
    start = f"{items} items asked again in {len(gone)} ways"
    differing = [way for way in gone if way.verdict == "differs"]
    if any(way.way == "again" for way in differing):
        return f"{start}: the answers are not the same twice, even in the same batches"
    if differing:
        told = ", ".join(f"{way.way} ({way.differ} of {way.asks})" for way in differing)
        return f"{start}: answers differ: {told}"
    largest = max((way.largest for way in gone if way.largest is not None), default=None)
    if all(way.verdict == "identical" for way in gone):
        return f"{start}: every answer is identical"
    by = "" if largest is None else f", scores by at most {largest:.2g} nats a token"
    grades = sum(way.grades_changed for way in gone)
    changed = f"{grades} grades change" if grades else "no grade changes"
    return f"{start}: every answer is the same within the tolerance{by}; {changed}"


def _notes(run: RunFile, sample: RunFile, ways: Sequence[WayFinding]) -> list[str]:
    told = []
    if any(way.way == "again" and way.verdict == "differs" for way in ways):
        told.append(
            "The same batches in the same order gave other answers the second time: the system is not "
            "deterministic, and what differs in the other rows may be that alone."
        )
    drawn = max(highest_temperature(system.identity) for system in run.systems.values())
    if drawn > 0:
        told.append(
            f"Replies are drawn at random (temperature {drawn:g}, seed {run.seed}): a system that draws for "
            "a batch as a whole gives other replies in other batches."
        )
    if others := differences("", run.environment, sample.environment):
        told.append(f"Other than when the run was made: {'; '.join(line.lstrip('.') for line in others)}.")
    return told
