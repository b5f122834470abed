"""Runs of lm-eval on the same documents, read and heard, as one run of speechzoo."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

from speechzoo import (
    Condition,
    Failure,
    Grade,
    Item,
    ItemError,
    Parameter,
    Setup,
    SpeechzooError,
    TaskSpec,
)
from speechzoo.asks import Answer, Ask
from speechzoo.loading import Component
from speechzoo.plugins import Plugins
from speechzoo.run.evaluate import evaluate
from speechzoo.run.executors import Answered
from speechzoo.run.plan import Work
from speechzoo.run.progress import Progress, Silent
from speechzoo.run.records import Role
from speechzoo.run.request import Request
from speechzoo.run.results import read_results

from speechzoo_lm_eval.arms import Arm, content_of
from speechzoo_lm_eval.asking import DocumentKey
from speechzoo_lm_eval.documents import Documents

PACKAGE = "speechzoo-lm-eval"


class PairedDocuments:
    """The documents as a task: asks are those that lm-eval had put, grades are its metrics."""

    version = "1"

    def __init__(self, setup: Setup, *, documents: Documents, **_: object) -> None:
        self._documents = documents
        self.conditions = documents.conditions
        self.metrics = documents.metrics
        self.notes = documents.notes

    def items(self) -> Sequence[Item]:
        return self._documents.items

    def ask(self, item: Item, condition: Condition) -> Ask:
        ask = self._documents.asks[item.id, condition]
        if isinstance(ask, Failure):
            raise ItemError(ask.reason, ask.detail)
        return ask

    def grade(self, item: Item, condition: Condition, answer: Answer) -> Grade | Failure:
        """What lm-eval's metrics made of this answer: equal answers to a document are worth the same."""
        grade = self._documents.grades.get((item.id, condition, content_of(answer)))
        return grade or Failure("not_graded_by_lm_eval", "lm-eval knows the answers to its own prompts alone")


@dataclass(frozen=True)
class GivenAnswers:
    """An executor that has the answers to lm-eval's prompts, and asks the model what is asked beyond them."""

    arms: Mapping[Condition, Arm]

    def run(self, batches: Iterable[list[Work]]) -> Iterator[Answered]:
        for batch in batches:
            given = [work for work in batch if not work.key.variant]
            yield [(work, self._of(work).exchanges[_document(work.key.item)].answer) for work in given]
            told = Failure("not_graded_by_lm_eval", "lm-eval has no grade for an answer without its prompt")
            yield [(work, told) for work in batch if work.key.variant == "prior"]
            probes = [work for work in batch if work.key.variant in ("silence", "swapped")]
            if probes:
                answers = self._of(probes[0]).lm.answerer.answers([work.ask for work in probes], Silent())
                yield [(probes[place], answer) for place, answer in answers]

    def close(self) -> None:
        """The models go with their arms."""

    def _of(self, work: Work) -> Arm:
        return self.arms[work.key.condition]


def _document(item: str) -> DocumentKey:
    task, _, number = item.rpartition("/")
    return task, int(number)


def make_run(
    arms: Sequence[Arm],
    out: Path,
    plugins: Plugins,
    progress: Progress,
    metric: str | None = None,
    options: Mapping[str, Any] | None = None,
    transcriber: Component | None = None,
) -> Path:
    """One run folder, as ``speechzoo eval`` makes them, of runs of lm-eval: ``speechzoo report`` reads it.

    Documents are paired by task and number, and have to be the same by lm-eval's own hash of them. Some are
    asked again with silence and with another document's audio: does the model hear?

    Args:
        arms: of the model, at most one for each condition, and of a rival.
        out: the folder.
        plugins: are told of events.
        progress: is told how far it is.
        metric: that losses are stated in; None takes the first that all tasks share.
        options: of lm-eval, for the run's description.
        transcriber: listens to what was spoken as well, so that losses can be told by how hard a clip is to
            understand; for models that do not say what they heard.

    Raises:
        SpeechzooError: the arms do not fit each other, or there is nothing to pair.
    """
    documents = Documents(arms, metric)
    of_role: dict[Role, list[Arm]] = {}
    for arm in arms:
        of_role.setdefault(arm.role, []).append(arm)
    _refuse_unfit(of_role)
    model = of_role["model"][0].lm
    request = Request(
        systems={role: own[0].lm.component for role, own in of_role.items()},
        task=_task(documents, options or {}),
        transcriber=transcriber,
        conditions=documents.conditions,
        out=out,
        **vars(model.answerer.options.load_options()),
    )
    executors = {role: GivenAnswers({arm.condition: arm for arm in own}) for role, own in of_role.items()}

    def executor(system: Component, _: Request) -> GivenAnswers:
        return next(executors[role] for role, own in request.systems.items() if own is system)

    folder = evaluate(request, plugins, progress, executor)
    if not _is_graded_by(documents, folder):
        # The code of a task's metrics has changed, which no description of the run can tell.
        (folder / "grades.jsonl").unlink()
        evaluate(request, plugins, progress, executor)
    return folder


def _is_graded_by(documents: Documents, folder: Path) -> bool:
    """Whether the folder's grades are what lm-eval says now."""
    for key, result in read_results(folder).results.items():
        if key.variant or isinstance(result.answer, Failure):
            continue
        now = documents.grades.get((key.item, key.condition, content_of(result.answer)))
        there = result.outcome if isinstance(result.outcome, Grade) else None
        if (now and now.values) != (there and there.values):
            return False
    return True


def _refuse_unfit(of_role: Mapping[Role, Sequence[Arm]]) -> None:
    if "model" not in of_role:
        raise SpeechzooError("there is no run of the model, only of its rival")
    for role, arms in of_role.items():
        if len({arm.lm.answerer.identity for arm in arms}) > 1:
            raise SpeechzooError(f"the runs of the {role} are of several models, dtypes or seeds")
        if len({arm.condition for arm in arms}) < len(arms):
            raise SpeechzooError(f"two runs of the {role} are of one condition")
    asked = {arm.condition for arm in of_role["model"]} & {Condition.T2T, Condition.S2T}
    if beyond := {arm.condition for arm in of_role.get("rival", ())} - asked:
        raise SpeechzooError(
            f"the rival answers in text, under conditions of the model's: not {', '.join(sorted(beyond))}"
        )
    if len({arm.lm.settings.answers for arms in of_role.values() for arm in arms}) > 1:
        raise SpeechzooError("choices are scored in one run and generated in another: they do not compare")
    hows = {(a.lm.settings.spoken, a.lm.settings.voice, a.lm.settings.language) for a in _hearing(of_role)}
    if len(hows) > 1:
        raise SpeechzooError(f"not the same was spoken in all runs: {sorted(hows)}")


def _hearing(of_role: Mapping[Role, Sequence[Arm]]) -> list[Arm]:
    return [arm for arms in of_role.values() for arm in arms if arm.lm.settings.mode == "speech"]


def _task(documents: Documents, options: Mapping[str, Any]) -> Component:
    """The task that items and grades are filed under; what was asked is in the bases of its answers."""
    hearing = next((arm for arm in documents.arms if arm.lm.voice is not None), None)
    speaking = next((arm for arm in documents.arms if arm.lm.transcriber is not None), None)
    parts = {
        "voice": hearing.lm.voice if hearing else None,
        "transcriber": speaking.lm.transcriber if speaking else None,
    }
    spec = TaskSpec(
        name="lm-eval",
        target="speechzoo_lm_eval.paired:PairedDocuments",
        summary=f"{', '.join(documents.tasks)} of lm-evaluation-harness",
        # No file holds them: they are what lm-eval just said.
        parameters={"documents": Parameter("", "what lm-eval made of each document", decides=False)},
    )
    how = {name: value for name, value in options.items() if name != "tasks"}
    if documents.arms[0].lm.settings.answers != "scored":
        how["answers"] = documents.arms[0].lm.settings.answers
    if hearing is not None:
        how["spoken"] = hearing.lm.settings.spoken
    return Component(
        kind="task",
        name=f"lm-eval/{','.join(documents.tasks)}",
        spec=spec,
        package=f"{PACKAGE} {version(PACKAGE)}",
        parameters=cast(
            Any,
            {
                "documents": documents,
                "metric": documents.metrics[0].name,
                "lm_eval": version("lm-eval"),
                "data": documents.data,
                "rules": documents.rules,
                **{name: str(value) for name, value in how.items()},
            },
        ),
        changed={name: str(value) for name, value in how.items()},
        parts={role: part for role, part in parts.items() if part is not None},
    )
