"""Requests of lm-eval as asks of speechzoo, and answers as what lm-eval wants."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from lm_eval.api.instance import Instance
from lm_eval.utils import hash_string
from speechzoo import (
    AudioClip,
    Failure,
    ItemError,
    ReplyAnswer,
    ReplyAsk,
    ScoreAnswer,
    ScoreAsk,
    SpeechzooError,
)
from speechzoo.asks import Answer, Ask

from speechzoo_lm_eval.context import Context, dialogue
from speechzoo_lm_eval.generation import Limits, cut

DocumentKey = tuple[str, int]
"""Task and number of a document."""

Spoken = Mapping[str, AudioClip | Failure]


@dataclass
class Group:
    """Requests about one document that share a prompt.

    Attributes:
        document: whose they are.
        prompt: its hash by lm-eval.
        context: what is read and heard; a failure says why it cannot be made.
        limits: of a reply.
        places: of the requests, in lm-eval's order.
    """

    document: DocumentKey
    prompt: str
    context: Context | Failure
    limits: Limits | None = None
    places: list[int] = field(default_factory=list)


def group_of(request: Instance, context: Context | Failure, limits: Limits | None = None) -> Group:
    """A group for this request, and none yet in it."""
    return Group(document_of(request), hash_string(str(request.args[0])), context, limits)


def document_of(request: Instance) -> DocumentKey:
    return str(request.task_name), int(request.doc_id)


def score_ask(context: Context | Failure, continuations: Sequence[str], spoken: Spoken) -> ScoreAsk | Failure:
    """All continuations after one prompt.

    What the model's answer begins with (``gen_prefix``) is scored apart as well: it is what `log_likelihoods`
    takes off.
    """
    if isinstance(context, Failure):
        return context
    begun = (context.prefix,) if context.prefix else ()
    parts = _parts(context, continuations)
    try:
        return ScoreAsk(dialogue(context, spoken), tuple(dict.fromkeys((*begun, *parts))), chat=context.chat)
    except ItemError as error:
        return Failure(error.reason, error.detail)


def log_likelihoods(
    context: Context, continuations: Sequence[str], ask: ScoreAsk, answer: ScoreAnswer
) -> list[float]:
    """Of each continuation, in nats."""
    scores = {
        part: score.log_likelihood for part, score in zip(ask.continuations, answer.scores, strict=True)
    }
    begun = scores[context.prefix] if context.prefix else 0.0
    return [scores[part] - begun for part in _parts(context, continuations)]


def _parts(context: Context, continuations: Sequence[str]) -> list[str]:
    return [f"{context.prefix}{context.space}{one}" for one in continuations]


def reply_ask(group: Group, spoken: Spoken, speech: bool) -> ReplyAsk | Failure:
    """A reply to the prompt.

    Raises:
        SpeechzooError: the model would have to go on with a text that the task puts into its mouth.
    """
    context, limits = group.context, group.limits
    if isinstance(context, Failure):
        return context
    assert limits is not None
    if context.prefix:
        raise SpeechzooError(
            f"{group.document[0]} begins the model's reply for it (gen_prefix={context.prefix!r}), which a "
            "speechzoo model cannot be asked to go on with: leave the task out"
        )
    try:
        return ReplyAsk(dialogue(context, spoken), speech=speech, max_tokens=limits.max_tokens)
    except ItemError as error:
        return Failure(error.reason, error.detail)


def limited(answer: Answer | Failure, limits: Limits | None) -> Answer | Failure:
    """A reply up to the task's stop strings; one that reached a stop was not cut by the token limit."""
    if limits is None or not isinstance(answer, ReplyAnswer) or answer.text is None:
        return answer
    text, stopped = cut(answer.text, limits.stops)
    return replace(answer, text=text, truncated=answer.truncated and not stopped)


@dataclass(frozen=True)
class Exchange:
    """One ask about a document and its answer; a failure in both places where it could not be asked.

    Attributes:
        prompt: its hash by lm-eval: in the samples of its results it says of which run they are.
        ask: what the model was asked.
        answer: what it answered.
    """

    prompt: str
    ask: Ask | Failure
    answer: Answer | Failure
