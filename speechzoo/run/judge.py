"""Asks a judge, and keeps what it said: no valid judgement is asked, or paid for, twice.

Each judgement is on disk as soon as the judge gives it, so that a kill loses no more than those under way.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from speechzoo.asks import Failure
from speechzoo.errors import ItemError, SetupError
from speechzoo.judging import JudgeAsk, Judgement, Usage
from speechzoo.loading import Component, load
from speechzoo.recipe import import_target
from speechzoo.run.describe import digest
from speechzoo.run.execute import isolating
from speechzoo.run.records import JudgementRecord, usage_of
from speechzoo.run.store import AppendFile, read_lines
from speechzoo.run.wire import writable
from speechzoo.services import Judge, is_checked
from speechzoo.setup import LoadOptions

ASKS_A_CALL = 8
"""So many that a judge far away is kept busy; under a ceiling of cost as few as it has room for."""


def options_of_task(task: Component, options: LoadOptions) -> LoadOptions:
    """How the parts of a task are computed: as the run is.

    How attention is computed, and a device map, are about weights. They are left out where the task's judge
    has none, for it would refuse them, and they are meant for the model under test.
    """
    judge = task.parts.get("judge")
    if judge is not None and any(part.folder is not None for part in judge.whole()):
        return options.load_options()
    return replace(options.load_options(), attention="", device_map="")


def check_judge(task: Component, options: LoadOptions) -> None:
    """Meets a missing key or a dead server before a model answers for hours.

    Only a judge whose class has ``check`` is made, so that no weights of a judge lie beside the model's.

    Args:
        task: its part ``judge`` is checked, if it has one.
        options: as the task's parts are made with.

    Raises:
        SetupError: the judge cannot be made, or says that it cannot judge.
    """
    about = task.parts.get("judge")
    if about is None or not is_checked(import_target(about.spec.target)):
        return
    judge = load(about, options)
    try:
        judge.check()
    finally:
        judge.close()


class JudgementFile:
    """The judgements of one judge in one folder, and those it is still asked for.

    What was no valid form is asked for once more whenever the file is opened again.

    Args:
        path: the file; it is made when the first judgement comes. It may hold those of other judges.
        judge: who is asked.
        identity: everything about the judge that can change a judgement.
        max_cost: in US dollars, of all judgements in the file, whosever they are; when they have cost so much
            no more are asked for. What a batch will cost is judged by the mean so far.
        fresh: ask again for whatever the file holds.

    Raises:
        SetupError: a ceiling is set, and the file holds judgements whose cost nobody knows.
    """

    def __init__(
        self,
        path: Path,
        judge: Judge,
        identity: Mapping[str, Any],
        max_cost: float | None = None,
        fresh: bool = False,
    ) -> None:
        self._path = path
        self._judge = judge
        self._identity = identity
        self._max_cost = max_cost
        self._paid = list(read_lines(path, JudgementRecord))
        self._there = {} if fresh else {r.basis: r for r in self._paid if r.answer is not None}
        self._file: AppendFile | None = None
        self._refuse_unknown_costs()

    @property
    def usage(self) -> Usage:
        """Of all judgements in the file."""
        return usage_of(self._paid)

    def ask(self, asks: Sequence[JudgeAsk]) -> list[Judgement | Failure]:
        """A judgement, or why there is none, for each ask; what is in the file is not asked again.

        Raises:
            SetupError: the judge cannot be asked on this machine, or a ceiling was set for a judge that
                does not tell what it costs.
        """
        bases = [self._basis(ask) for ask in asks]
        todo = {
            basis: ask
            for basis, ask in zip(bases, asks, strict=True)
            if isinstance(basis, str) and basis not in self._there
        }
        failures = self._ask_new(todo)
        return [
            basis
            if isinstance(basis, Failure)
            else _outcome(self._there[basis])
            if basis in self._there
            else failures[basis]
            for basis in bases
        ]

    def _basis(self, ask: JudgeAsk) -> str | Failure:
        try:
            return digest([self._identity, ask.digest])[:32]
        except ItemError as error:
            return Failure(error.reason, error.detail)

    def _ask_new(self, todo: Mapping[str, JudgeAsk]) -> dict[str, Failure]:
        """Puts new judgements into the file and returns what came of the others."""
        failures: dict[str, Failure] = {}
        waiting = list(todo.items())
        while waiting:
            room = self._room()
            if room == 0:
                spent = Failure("judge_budget", f"judgements have cost {self.usage.cost or 0.0:.2f} USD")
                return failures | {basis: spent for basis, _ in waiting}
            batch, waiting = waiting[:room], waiting[room:]
            told = _as_they_come(self._judge, [ask for _, ask in batch])
            for (basis, _), judgement in zip(batch, told, strict=True):
                if isinstance(judgement, Failure):
                    failures[basis] = Failure("judge_error", f"{judgement.reason}: {judgement.detail}")
                else:
                    self._keep(_record(basis, self._identity, judgement))
            self._refuse_unknown_costs()
        return failures

    def _room(self) -> int:
        """How many asks the ceiling leaves room for, at most `ASKS_A_CALL`; none once it is reached."""
        if self._max_cost is None:
            return ASKS_A_CALL
        spent = self.usage.cost or 0.0
        if spent >= self._max_cost:
            return 0
        if not self._paid:
            return 1  # nobody knows yet what one costs
        mean = spent / len(self._paid)
        return ASKS_A_CALL if mean == 0 else max(1, min(ASKS_A_CALL, int((self._max_cost - spent) / mean)))

    def _keep(self, record: JudgementRecord) -> None:
        if self._file is None:
            self._file = AppendFile(self._path)
        self._file.append([record])
        self._paid.append(record)
        self._there[record.basis] = record

    def _refuse_unknown_costs(self) -> None:
        if self._max_cost is not None and any(record.cost is None for record in self._paid):
            raise SetupError(
                f"a ceiling of cost was set, but {self._path} holds judgements whose cost nobody knows: set "
                "the judge's prices before it judges, or leave the ceiling out"
            )

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _as_they_come(judge: Judge, asks: list[JudgeAsk]) -> Iterator[Judgement | Failure]:
    """What the judge says of each; when it raises, the asks it has not answered are `isolating`."""
    done = 0
    try:
        for told in judge.judge(asks):
            done += 1
            yield told
    except SetupError:
        raise
    except Exception:  # a judge may raise anything; met again below, it is the fault of one ask
        pass
    if rest := asks[done:]:
        yield from isolating(lambda some: list(judge.judge(some)), rest)


def _record(basis: str, identity: Mapping[str, Any], judgement: Judgement) -> JudgementRecord:
    usage = judgement.usage
    return JudgementRecord(
        basis=basis,
        judge=judge_digest(identity),
        answer=judgement.answer,
        raw=writable(judgement.raw),
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cost=usage.cost,
    )


def judge_digest(identity: Mapping[str, Any]) -> str:
    """By which a judge's judgements are told from those of others in one file."""
    return digest(dict(identity))[:16]


def _outcome(record: JudgementRecord) -> Judgement | Failure:
    if record.answer is None:
        return Failure("judge_error", f"no valid form: {record.raw[:500]!r}")
    return Judgement(record.answer, record.raw, record.usage)
