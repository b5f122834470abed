"""One run of lm-eval: what the model was asked and answered, and what lm-eval made of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from speechzoo import Condition, Failure, ReplyAnswer, ReplyAsk, ScoreAnswer, ScoreAsk, SpeechzooError
from speechzoo.asks import Answer, MultiScoreAsk
from speechzoo.run.describe import digest
from speechzoo.run.records import Role
from speechzoo.run.wire import writable

from speechzoo_lm_eval.asking import DocumentKey, Exchange
from speechzoo_lm_eval.metrics import Scores, read_scores
from speechzoo_lm_eval.model import SpeechzooLM


@dataclass(frozen=True)
class Arm:
    """One run of lm-eval.

    Attributes:
        lm: what answered it.
        results: as ``simple_evaluate`` returns them, with samples.
        role: of the model in the report; a ``rival`` is what the model is held against.
    """

    lm: SpeechzooLM
    results: Mapping[str, Any]
    role: Role = "model"

    @property
    def condition(self) -> Condition:
        return self.lm.settings.condition

    @cached_property
    def scores(self) -> dict[str, Scores]:
        """By task."""
        failed = [key for key, own in self.exchanges.items() if isinstance(own.answer, Failure)]
        return {
            task: read_scores(self.results, task, {number for name, number in failed if name == task})
            for task in self.results["samples"]
        }

    @cached_property
    def exchanges(self) -> dict[DocumentKey, Exchange]:
        """All that was asked about a document as one ask."""
        return {key: _joined(own) for key, own in self.lm.documents.items()}


def refuse_unlike(arms: Sequence[Arm]) -> None:
    """Raises `SpeechzooError` if runs are of other documents, or answers of other runs than results."""
    first = arms[0]
    for arm in arms:
        if arm.scores.keys() != first.scores.keys():
            raise SpeechzooError(
                f"the runs have other tasks: {sorted(first.scores)} and {sorted(arm.scores)}"
            )
        for task, scores in arm.scores.items():
            _refuse_other_documents(task, first.scores[task], scores)
            _refuse_other_prompts(task, arm)


def _refuse_other_documents(task: str, one: Scores, two: Scores) -> None:
    numbers = one.documents.keys() | two.documents.keys()
    for number in sorted(numbers):
        pair = one.documents.get(number), two.documents.get(number)
        if pair[0] is None or pair[1] is None or pair[0].hash != pair[1].hash:
            raise SpeechzooError(
                f"{task}: document {number} is not the same in all runs (lm-eval's doc_hash): its data "
                "changed between them, or other documents were asked for"
            )


def _refuse_other_prompts(task: str, arm: Arm) -> None:
    """What the model was asked last has to be what the results are of."""
    for number, document in arm.scores[task].documents.items():
        exchange = arm.exchanges.get((task, number))
        if exchange is None or exchange.prompt != document.prompt:
            raise SpeechzooError(
                f"{task}: {arm.lm} was not asked for document {number} with the prompt that is in lm-eval's "
                "results. Make a SpeechzooLM, or one with under(), for each evaluation; and evaluate without "
                "use_cache (SpeechzooLM has a record) and without samples, which lm-eval numbers otherwise "
                "in its results than in what it asks"
            )


def _joined(exchanges: Sequence[Exchange]) -> Exchange:
    """All that was asked about one document as one ask."""
    prompt = exchanges[0].prompt
    for exchange in exchanges:
        if isinstance(exchange.ask, Failure):
            return replace(exchange, prompt=prompt)
    distinct = list(dict.fromkeys(exchange.ask for exchange in exchanges))
    if len(distinct) == 1 and isinstance(distinct[0], ScoreAsk | ReplyAsk):
        return exchanges[0]
    asks = [ask for ask in distinct if isinstance(ask, ScoreAsk)]
    if len(asks) < len(distinct):
        told = Failure("several_replies", "one document asks for several replies, which no stage can hold")
        return Exchange(prompt, told, told)
    failed = next((one.answer for one in exchanges if isinstance(one.answer, Failure)), None)
    answers = [one.answer for one in exchanges if isinstance(one.answer, ScoreAnswer)]
    every = tuple(one.ask for one in exchanges if isinstance(one.ask, ScoreAsk))
    return Exchange(prompt, MultiScoreAsk(every), failed or _as_one(answers))


def _as_one(answers: Sequence[ScoreAnswer]) -> ScoreAnswer:
    heard = [answer.heard for answer in answers if answer.heard is not None]
    return ScoreAnswer(
        tuple(score for answer in answers for score in answer.scores),
        heard=" ".join(heard) if heard else None,
    )


def content_of(answer: Answer | Failure) -> str:
    """What lm-eval's metrics were made from; the same before it was written down and after."""
    if isinstance(answer, ScoreAnswer):
        return digest([float(score.log_likelihood) for score in answer.scores])
    assert isinstance(answer, ReplyAnswer)
    text = None if answer.text is None else writable(answer.text)
    return digest([text, answer.clip.digest if answer.clip else None])
