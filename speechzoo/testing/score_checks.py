"""Promises about scores, told without knowing the weights: by what any next-token probability obeys.

The chain rule is ``log p(ab | c) = log p(a | c) + log p(b | ca)``; it holds between three scores of one
model whenever the tokens of ``ab`` are those of ``a`` and then those of ``b``.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from speechzoo.agreement import Given
from speechzoo.asks import ContinuationScore, Failure, ReplyAnswer, ScoreAnswer, ScoreAsk
from speechzoo.dialogue import Part, user
from speechzoo.specs import Capability
from speechzoo.testing import probes
from speechzoo.testing.answer_checks import a_batch_equals_its_singles
from speechzoo.testing.findings import CheckError, NotApplicableError, check
from speechzoo.testing.model_under_test import ModelUnderTest, told

Context = tuple[Part, ...]

SPLIT = (
    (" old", " man"),
    (" is", " not", " far"),
    (" sea", " was", " green", " and", " cold"),
    (" ferry", "."),
    (" he", " could", " see", " the", " harbour"),
    (" 7", ","),
)
LETTERS = tuple("abcdefghijklmnopqrstuvwxyz0123456789")
HALF = "\N{REPLACEMENT CHARACTER}"
WORDS = (" the", " and", " is", " of", " in", " to", " not", " you", " with", " for")
QUESTIONS = (
    probes.QUESTION,
    probes.LONG_QUESTION,
    probes.SHORT,
    "Say one word.",
    "Count to three.",
    "Who wrote this?",
    "Is the sea blue?",
    "Name a fruit.",
    "How many legs has a cat?",
    "Repeat after me: yes.",
    "What is two and two?",
    "Tell me a story.",
)


@check(a_batch_equals_its_singles)
def log_likelihoods_are_sums(subject: ModelUnderTest) -> None:
    """Otherwise long endings win against short ones, and tasks divide by the tokens a second time."""
    links = _links(subject)
    if sum(link.holds_for_means for link in links) > len(links) / 2:
        raise CheckError(
            "scores are means a token: log_likelihood must be the sum, and tokens how many there were"
        )


@check(log_likelihoods_are_sums)
def every_token_is_scored_once(subject: ModelUnderTest) -> None:
    """Otherwise one-token answers are not compared at all, or a token of the context is counted in."""
    links = _links(subject)
    broken = [link for link in links if not link.holds]
    if len(broken) > len(links) / 2:
        link = broken[0]
        raise CheckError(
            f"the chain rule does not hold: p({link.text!r}) is {link.whole.log_likelihood:.4f}, in two "
            f"steps it is {link.sum:.4f}: the first or last token is left out, a token of the "
            "context is counted in, or a score depends on where the context ends"
        )


@check(every_token_is_scored_once)
def probabilities_sum_to_at_most_one(subject: ModelUnderTest) -> None:
    """Otherwise scores are no probabilities, and losses in nats mean nothing."""
    for context in _contexts(subject):
        total = sum(math.exp(score.log_likelihood) for score in _one_token(subject, context).values())
        if total > 1.02:
            raise CheckError(
                f"{len(LETTERS)} different next tokens have a probability of {total:.2f} together: scores "
                "are logits without log_softmax, or the softmax is over something else than the vocabulary"
            )


@check(every_token_is_scored_once)
def logits_are_not_shifted(subject: ModelUnderTest) -> None:
    """Otherwise every token is scored by the prediction of its neighbour."""
    subject.needs(Capability.SCORE_UNDER_TEXT)
    stem = "An apple, an egg and a pear: the first letter of all of them is"
    one, other = (list(_one_token(subject, (stem + last,)).values()) for last in (" a", " e"))
    if one and all(map(subject.same_score, one, other)):
        raise CheckError(
            "the last token of the context changes nothing: logits are taken one place too early (labels "
            "shifted twice, or the context cut by one)"
        )
    if _replies_are_unlikely(subject):
        raise CheckError(
            "the token that a reply begins with is not the likeliest by its own score: logits are taken one "
            "place too late, or scores and replies are not given the same prompt"
        )


@check(every_token_is_scored_once)
def a_context_counts_from_its_beginning(subject: ModelUnderTest) -> None:
    """Otherwise contexts are cut without a word, and questions asked without their story."""
    subject.needs(Capability.SCORE_UNDER_TEXT)
    one, other = (
        subject.answer(probes.score(f"{start} {probes.LONG}")) for start in ("In a dream:", "Nobody said:")
    )
    if isinstance(one, Failure):
        raise CheckError(f"a context of {len(probes.LONG.split())} words gives {one.reason}: {one.detail}")
    if not subject.differ(one, other):
        raise CheckError("the first words of a context change nothing: it is cut on the left")


@check(a_batch_equals_its_singles)
def a_plain_loop_agrees(subject: ModelUnderTest) -> None:
    """Otherwise all the sharing and caching that makes scoring fast changes the numbers."""
    plainly = getattr(subject.model, "score_plainly", None)
    if plainly is None:
        raise NotApplicableError(
            "it has no method score_plainly(ask), a slow and obvious second way (speechzoo.lm has one)"
        )
    for ask, given in zip(subject.probes, subject.alone, strict=True):
        if isinstance(ask, ScoreAsk) and not subject.same(given, plain := plainly(ask)):
            raise CheckError(f"score gives {told(given)}, a plain teacher-forced loop {told(plain)}")


@dataclass(frozen=True)
class _Link:
    """A text in one step and in two."""

    subject: ModelUnderTest
    text: str
    first: ContinuationScore
    second: ContinuationScore
    whole: ContinuationScore

    @property
    def sum(self) -> float:
        return self.first.log_likelihood + self.second.log_likelihood

    @property
    def holds(self) -> bool:
        return self.subject.close_to(self.whole.log_likelihood, self.sum, 2 * self.whole.tokens)

    @property
    def holds_for_means(self) -> bool:
        """The chain rule of means: each weighs as much as it has tokens."""
        first, second, whole = (
            score.log_likelihood * score.tokens for score in (self.first, self.second, self.whole)
        )
        return not self.holds and self.subject.close_to(whole, first + second, 2 * self.whole.tokens)


def _links(subject: ModelUnderTest) -> list[_Link]:
    links = list(_all_links(subject))
    if not links:
        raise NotApplicableError("its tokenizer splits no text of the check where the check does")
    return links


def _all_links(subject: ModelUnderTest) -> Iterator[_Link]:
    splits = [(context, words[0], "".join(words[1:])) for context in _contexts(subject) for words in SPLIT]
    starts = _scores(subject, [(context, (first, first + second)) for context, first, second in splits])
    steps = _scores(subject, [((*context, first), (second,)) for context, first, second in splits])
    for (_, first, second), (one, whole), (other,) in zip(splits, starts, steps, strict=True):
        if whole.tokens == one.tokens + other.tokens:
            yield _Link(subject, first + second, one, other, whole)


def _contexts(subject: ModelUnderTest) -> list[Context]:
    """Read and heard, as far as it can score after them."""
    contexts: list[Context] = []
    if subject.can(Capability.SCORE_UNDER_TEXT):
        contexts.append((probes.MIDDLE,))
    if subject.can(Capability.SCORE_UNDER_AUDIO, Capability.TEXT_IN):
        contexts.append((probes.HARBOUR, " The"))
    if not contexts:
        raise NotApplicableError("it does not score after text")
    return contexts


def _scores(
    subject: ModelUnderTest, asked: Sequence[tuple[Context, tuple[Part, ...]]], chat: bool = False
) -> list[tuple[ContinuationScore, ...]]:
    """Of endings after contexts, all in one batch."""
    asks = [ScoreAsk((user(*context),), endings, chat) for context, endings in asked]
    found = []
    for ask, given in zip(asks, subject.answers(asks), strict=True):
        if not isinstance(given, ScoreAnswer):
            raise CheckError(f"{ask.context} gives no scores but {told(given)}")
        found.append(given.scores)
    return found


def _one_token(
    subject: ModelUnderTest, context: Context, endings: tuple[str, ...] = LETTERS, chat: bool = False
) -> dict[str, ContinuationScore]:
    """Scores of those endings that are one token."""
    [scores] = _scores(subject, [(context, endings)], chat)
    return {text: score for text, score in zip(endings, scores, strict=True) if score.tokens == 1}


def _replies_are_unlikely(subject: ModelUnderTest) -> bool:
    """Whether the first token of greedy replies is seldom the likeliest one.

    Now and then a token is read back as another than it was.
    """
    if not subject.can(Capability.TEXT_IN, Capability.TEXT_OUT) or _draws(subject):
        return False
    replies = subject.answers([replace(probes.reply(question), max_tokens=1) for question in QUESTIONS])
    likely = [_is_likely(subject, *two) for two in zip(QUESTIONS, replies, strict=True)]
    found = [one for one in likely if one is not None]
    return len(found) > 1 and sum(found) < len(found) / 2


def _is_likely(subject: ModelUnderTest, question: str, given: Given) -> bool | None:
    """Whether the first token of a reply is likelier than others; None if it cannot be read back."""
    # Half a character is a token too, but not one that can be asked for again.
    if not isinstance(given, ReplyAnswer) or not given.text or HALF in given.text:
        return None
    own = tuple(start + given.text for start in ("", " ", "\n"))
    scores = _one_token(subject, (question,), tuple(dict.fromkeys((*own, *LETTERS, *WORDS))), chat=True)
    owned = [scores[text].log_likelihood for text in own if text in scores]
    if not owned:
        return None
    best = max(score.log_likelihood for score in scores.values())
    return subject.close_to(max(owned), best, 1)


def _draws(subject: ModelUnderTest) -> bool:
    """Whether replies are drawn, so that the first token need not be the likeliest."""
    asks = [probes.reply(question) for question in QUESTIONS]
    usual = subject.answers(asks)
    subject.renew(seed=1)
    drawn = subject.answers(asks)
    subject.renew()
    return not all(map(subject.same, usual, drawn))
