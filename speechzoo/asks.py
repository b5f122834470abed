"""What a task asks of a model, and what the model answers: plain data, no behaviour of either."""

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar

from speechzoo.audio import AudioClip
from speechzoo.dialogue import Dialogue, Message, Part, clips_of_others, part_key
from speechzoo.judging import Judgement

# A probability rounded up in low precision may have a logarithm a little above 0.
ROUNDING = 1e-2


@dataclass(frozen=True, slots=True)
class ScoreAsk:
    """How likely is each continuation after the context?

    Attributes:
        context: text and clips that are conditioned on and not scored.
        continuations: the texts to score, each tokenized apart from the context; or the clips, by the
            model's own audio tokens.
        chat: wrap the context in the model's chat template; otherwise the parts are given as they
            are, with no special token before or after (base-LM scoring).
    """

    context: Dialogue
    continuations: tuple[Part, ...]
    chat: bool = False


@dataclass(frozen=True, slots=True)
class MultiScoreAsk:
    """Continuations that do not all follow one context, compared with each other all the same.

    A model never sees it: the runner asks ``asks`` one by one and joins their scores, in order, to one
    `ScoreAnswer`.
    """

    asks: tuple[ScoreAsk, ...]


@dataclass(frozen=True, slots=True)
class ReplyAsk:
    """What does the model reply to this dialogue?

    Attributes:
        dialogue: the turns so far, ending with the user's.
        speech: the reply must be spoken (its text is wanted too, where the model has one).
        max_tokens: text tokens after which a reply is cut and marked as truncated.
    """

    dialogue: Dialogue
    speech: bool = False
    max_tokens: int = 256


@dataclass(frozen=True, slots=True)
class DialogueAsk:
    """Several user turns; each reply joins the history before the next turn is asked.

    Attributes:
        turns: the user's messages in order.
        opening: messages before the first turn, such as a system prompt.
        speech: every reply must be spoken.
        max_tokens: limit of text tokens for each reply.
        history: how the model's own replies stand before its next: as ``text``, where they have one, or as
            ``speech``. A reply that failed is silence there: a message without parts.
    """

    turns: tuple[Message, ...]
    opening: Dialogue = ()
    speech: bool = False
    max_tokens: int = 256
    history: Literal["text", "speech"] = "text"


Ask = ScoreAsk | MultiScoreAsk | ReplyAsk | DialogueAsk


@dataclass(frozen=True, slots=True)
class Failure:
    """An ask without an answer, or an answer that cannot be graded: an outcome of its own, never a zero.

    Attributes:
        reason: a short snake_case word, counted in reports: ``truncated_audio``, ``non_finite``, ...
        detail: one sentence with the particulars.
    """

    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ContinuationScore:
    """Sum of the natural-log probabilities of a continuation's tokens, and how many there were.

    ``audio_tokens`` counts the positions that the clips of its context took, where a model knows.
    """

    log_likelihood: float
    tokens: int
    audio_tokens: int | None = None

    @property
    def mean_nll(self) -> float:
        """Mean negative log-likelihood a token, in nats."""
        return -self.log_likelihood / self.tokens


@dataclass(frozen=True, slots=True)
class ScoreAnswer:
    """Scores in the order of the ask's continuations.

    Attributes:
        scores: one for each continuation.
        heard: what the model understood of the ask's clips, where it has such a text (a cascade).
        timings: seconds by stage, such as ``{"transcribe": 0.4, "score": 0.2}``.
        means: imported scores whose sums nobody knows: each log-likelihood is the mean a token, and
            ``tokens`` is 1.
        prior: scores of the same continuations without the context. No model fills it in: the runner
            asks for them apart and joins them before a task grades.
    """

    scores: tuple[ContinuationScore, ...]
    heard: str | None = None
    timings: dict[str, float] = field(default_factory=dict)
    means: bool = False
    prior: tuple[ContinuationScore, ...] | None = None


@dataclass(frozen=True, slots=True)
class ReplyAnswer:
    """One reply.

    Attributes:
        text: the model's own text of its reply, if it has one.
        clip: the reply as speech, if it was asked for.
        truncated: the reply was cut at ``max_tokens``.
        heard: what the model understood of the ask's clips, where it has such a text.
        timings: seconds by stage.
        served: what a server says of who replied and what it took: ``model``, ``system_fingerprint``,
            ``input_tokens``, ``output_tokens``; empty for a model on one's own machine.
        judgements: what a judge said of it. No model fills it in: the runner asks the judge what the
            task wants to know, and joins its judgements, in the order of ``to_judge``, before the task
            grades. A failure among them is no judgement: ``judge_error``, or ``judge_budget`` where the
            ceiling of cost was reached.
    """

    text: str | None
    clip: AudioClip | None = None
    truncated: bool = False
    heard: str | None = None
    timings: dict[str, float] = field(default_factory=dict)
    served: dict[str, str | int] = field(default_factory=dict)
    judgements: tuple[Judgement | Failure, ...] = ()


@dataclass(frozen=True, slots=True)
class DialogueAnswer:
    """What came back for each turn of a dialogue, at least one of them a reply.

    A turn that failed stays in its place: the user went on after it. ``judgements`` are as in `ReplyAnswer`,
    of the dialogue as a whole.
    """

    replies: tuple[ReplyAnswer | Failure, ...]
    judgements: tuple[Judgement | Failure, ...] = ()


Answer = ScoreAnswer | ReplyAnswer | DialogueAnswer
Timed = TypeVar("Timed", ScoreAnswer, ReplyAnswer)


def score_asks(ask: Ask) -> tuple[ScoreAsk, ...]:
    """The single contexts with their continuations behind an ask for scores; none behind another."""
    if isinstance(ask, MultiScoreAsk):
        return ask.asks
    return (ask,) if isinstance(ask, ScoreAsk) else ()


def continuations_of(ask: Ask) -> tuple[Part, ...]:
    """What is scored, in the order of the answer's scores."""
    return tuple(part for one in score_asks(ask) for part in one.continuations)


def dialogue_of(ask: Ask) -> Dialogue:
    """Everything the model is given to read and hear."""
    if isinstance(ask, ScoreAsk):
        return ask.context
    if isinstance(ask, MultiScoreAsk):
        return tuple(message for one in ask.asks for message in one.context)
    if isinstance(ask, ReplyAsk):
        return ask.dialogue
    return (*ask.opening, *ask.turns)


def with_clips(ask: Ask, change: Callable[[AudioClip], Part]) -> Ask:
    """The same ask with every clip that is heard replaced by ``change(clip)``, a clip or a text.

    Continuations are scored, not heard, and stay as they are.
    """

    def changed(messages: Dialogue) -> Dialogue:
        return tuple(
            Message(m.role, tuple(change(p) if isinstance(p, AudioClip) else p for p in m.parts))
            for m in messages
        )

    if isinstance(ask, ScoreAsk):
        return replace(ask, context=changed(ask.context))
    if isinstance(ask, MultiScoreAsk):
        return MultiScoreAsk(tuple(replace(one, context=changed(one.context)) for one in ask.asks))
    if isinstance(ask, ReplyAsk):
        return replace(ask, dialogue=changed(ask.dialogue))
    return replace(ask, opening=changed(ask.opening), turns=changed(ask.turns))


def context_digest(ask: Ask) -> str:
    """Hash of what the model is given: equal for asks that can share one prefill.

    Raises:
        ItemError: a clip's file cannot be read.
    """
    if isinstance(ask, MultiScoreAsk):
        return _sha256([context_digest(one) for one in ask.asks])
    chat = ask.chat if isinstance(ask, ScoreAsk) else True
    return _sha256([chat, [[m.role, *map(part_key, m.parts)] for m in dialogue_of(ask)]])


def ask_digest(ask: Ask, context: str | None = None) -> str:
    """Hash of everything in the ask that can change its answer.

    Args:
        ask: the ask.
        context: its `context_digest`, if it is known already.

    Raises:
        ItemError: a clip's file cannot be read.
    """
    if isinstance(ask, ScoreAsk):
        rest: list[object] = ["score", *map(part_key, ask.continuations)]
    elif isinstance(ask, MultiScoreAsk):
        rest = ["scores", *map(ask_digest, ask.asks)]
    elif isinstance(ask, ReplyAsk):
        rest = ["reply", ask.speech, ask.max_tokens]
    else:
        rest = ["dialogue", len(ask.opening), ask.speech, ask.max_tokens, ask.history]
    return _sha256([context or context_digest(ask), *rest])


def _sha256(value: object) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=False).encode()).hexdigest()


def checked(ask: Ask, answer: Answer | Failure) -> Answer | Failure:
    """The answer, or a failure saying why it cannot be an answer to this ask.

    An adapter's NaN, a missing score or a reply without the speech that was asked for must not
    reach a comparison: ``min`` over scores with a NaN depends on their order.
    """
    if isinstance(answer, Failure):
        return answer
    if isinstance(ask, ScoreAsk | MultiScoreAsk):
        return _checked_score(continuations_of(ask), answer)
    if isinstance(ask, ReplyAsk):
        return checked_reply(answer, ask.speech)
    if not isinstance(answer, DialogueAnswer):
        return Failure("wrong_answer_shape", f"a dialogue was asked, got {_kind(answer)}")
    if len(answer.replies) != len(ask.turns):
        return Failure(
            "wrong_answer_shape",
            f"{len(ask.turns)} turns were asked, {len(answer.replies)} replies came back",
        )
    return dialogue_answer([checked_reply(reply, ask.speech) for reply in answer.replies])


def dialogue_answer(replies: Sequence[ReplyAnswer | Failure]) -> DialogueAnswer | Failure:
    """The replies as an answer; the first failure if there is nothing else."""
    first = replies[0] if replies else Failure("empty_dialogue", "it has no turns")
    if isinstance(first, Failure) and all(isinstance(reply, Failure) for reply in replies):
        return replace(first, detail=f"turn 1: {first.detail}")
    return DialogueAnswer(tuple(replies))


def _checked_score(continuations: Sequence[Part], answer: Answer) -> Answer | Failure:
    if not isinstance(answer, ScoreAnswer):
        return Failure("wrong_answer_shape", f"scores were asked, got {_kind(answer)}")
    if len(answer.scores) != len(continuations):
        return Failure(
            "wrong_answer_shape",
            f"{len(continuations)} continuations were asked, {len(answer.scores)} scores came back",
        )
    for continuation, score in zip(continuations, answer.scores, strict=True):
        if not isinstance(score, ContinuationScore):
            return Failure("wrong_answer_shape", f"a ContinuationScore was asked, got {_kind(score)}")
        if score.tokens < 1:
            return Failure("empty_continuation", f"no token in the continuation {named(continuation)}")
        if not math.isfinite(score.log_likelihood):
            return Failure("non_finite", f"log-likelihood {score.log_likelihood} for {named(continuation)}")
        if score.log_likelihood > ROUNDING:
            return Failure("impossible_score", f"log-likelihood {score.log_likelihood} is above 0")
    return _timed(answer)


def checked_reply(answer: Answer | Failure, speech: bool) -> ReplyAnswer | Failure:
    """The reply, or a failure saying why it is none; see `checked`."""
    if isinstance(answer, Failure):
        return answer
    if not isinstance(answer, ReplyAnswer):
        return Failure("wrong_answer_shape", f"a reply was asked, got {_kind(answer)}")
    if speech and answer.clip is None:
        return Failure("no_speech", "a spoken reply was asked, the model gave none")
    if not speech and answer.text is None:
        return Failure("no_text", "a text reply was asked, the model gave none")
    return _timed(answer)


def _timed(answer: Timed) -> Timed | Failure:
    if not all(math.isfinite(seconds) for seconds in answer.timings.values()):
        return Failure("non_finite", f"timings {answer.timings}")
    return answer


def _kind(value: object) -> str:
    return type(value).__name__


def named(part: Part) -> str:
    """How messages call a text or a clip."""
    return repr(part) if isinstance(part, str) else part.name


def replies_of(answer: Answer | Failure) -> tuple[ReplyAnswer, ...]:
    """The replies in it, without the turns that failed."""
    if isinstance(answer, DialogueAnswer):
        return tuple(reply for reply in answer.replies if isinstance(reply, ReplyAnswer))
    return (answer,) if isinstance(answer, ReplyAnswer) else ()


def heard_by(answer: Answer) -> str | None:
    """What the model understood of the clips, if it says so.

    A dialogue's last reply is to all of its turns; where that turn failed, nobody knows the whole.
    """
    if isinstance(answer, DialogueAnswer):
        last = answer.replies[-1]
        return last.heard if isinstance(last, ReplyAnswer) else None
    return answer.heard


def is_truncated(answer: Answer) -> bool:
    return any(reply.truncated for reply in replies_of(answer))


def spoken_text(ask: Ask) -> str | None:
    """What is said in the ask's clips according to the data set, or None if any clip does not tell."""
    transcripts = [clip.transcript for clip in clips_of_others(dialogue_of(ask))]
    known = [text for text in transcripts if text is not None]
    return " ".join(known) if known and len(known) == len(transcripts) else None
