"""Asks a judge, and keeps what it said: no valid judgement is asked, or paid for, twice.

What was said is on disk before more is asked for, so that a kill loses no more than the batch under way.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from speechzoo.asks import Failure
from speechzoo.errors import ItemError, SetupError
from speechzoo.judging import JudgeAsk, Judgement, Usage
from speechzoo.run.describe import digest
from speechzoo.run.execute import isolating
from speechzoo.run.records import JudgementRecord, usage_of, writable
from speechzoo.run.store import AppendFile, read_lines
from speechzoo.services import Judge

ASKS_A_CALL = 8
"""So many that a judge far away is kept busy; under a ceiling of cost as few as it has room for."""


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
            told = isolating(self._judge.judge, [ask for _, ask in batch])
            records = []
            for (basis, _), judgement in zip(batch, told, strict=True):
                if isinstance(judgement, Failure):
                    failures[basis] = Failure("judge_error", f"{judgement.reason}: {judgement.detail}")
                else:
                    records.append(_record(basis, self._identity, judgement))
            self._keep(records)
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

    def _keep(self, records: Sequence[JudgementRecord]) -> None:
        if not records:
            return
        if self._file is None:
            self._file = AppendFile(self._path)
        self._file.append(records)
        self._paid += records
        self._there |= {record.basis: record for record in records}
        self._refuse_unknown_costs()

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
