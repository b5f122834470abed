"""Promises about answers of any kind: true declarations, no memory, no influence of neighbours."""

import gc
import sys
from dataclasses import replace
from itertools import pairwise

from speechzoo.agreement import Given
from speechzoo.asks import Ask, Failure, ReplyAsk, ScoreAnswer, ScoreAsk
from speechzoo.audio import AudioClip
from speechzoo.specs import Capability
from speechzoo.testing import probes
from speechzoo.testing.findings import CheckError, NotApplicableError, check
from speechzoo.testing.model_under_test import ModelUnderTest, told

# Of what the weights took, what may remain: a tokenizer's table, a buffer for later.
LEFT_AFTER_CLOSE = 0.1


@check()
def declared_capabilities_are_true(subject: ModelUnderTest) -> None:
    """Otherwise a run is planned, and every item of it fails."""
    if not subject.capabilities:
        raise CheckError("no capability is declared: the planner will never ask it anything")
    if subject.refused:
        told = "; ".join(f"{capability}: {reason}" for capability, reason in subject.refused.items())
        raise CheckError(f"declared, but asked for it the model gives no answer: {told}")


@check()
def same_seed_same_answers(subject: ModelUnderTest) -> None:
    """Otherwise a run that is resumed or repeated gives other numbers."""
    asks = _asks(subject)
    subject.renew(seed=1)
    first = subject.singly(asks)
    subject.renew(seed=1)
    for ask, one, other in zip(asks, first, subject.singly(asks), strict=True):
        if not subject.same(one, other):
            raise CheckError(
                f"made twice with seed 1, it gives two answers to one {_kind(ask)}: random draws do not come "
                "from setup.seed, or dropout is on"
            )
    subject.renew()


@check(same_seed_same_answers)
def no_state_between_calls(subject: ModelUnderTest) -> None:
    """Otherwise an answer depends on what was asked before, and so on order, workers and restarts."""
    asks = _asks(subject)
    subject.renew()
    there = subject.singly(asks)
    subject.answer(_bad_ask(subject) or asks[0])
    back = subject.singly(reversed(asks))[::-1]
    for ask, one, other in zip(asks, there, back, strict=True):
        if not subject.same(one, other):
            raise CheckError(
                f"after other asks it answers the same {_kind(ask)} differently: something of an earlier "
                "call is kept (a cache, a mask, a history, the random state)"
            )


@check(no_state_between_calls)
def order_is_kept(subject: ModelUnderTest) -> None:
    """Otherwise an item is graded by its neighbour's answer."""
    asks = _asks(subject)
    batch = subject.answers(asks)
    wrong = [one for one, own in zip(batch, subject.alone, strict=True) if not subject.same(one, own)]
    # A reply in text in the place of one in speech has become a failure.
    given = [one for one in wrong if not isinstance(one, Failure)]
    if given and all(any(subject.same(one, other) for other in subject.alone) for one in given):
        raise CheckError("the answers of a batch are those of its asks in another order")
    for ask, alone in zip(asks, subject.alone, strict=True):
        if isinstance(ask, ScoreAsk):
            _check_order_of_scores(subject, ask, alone)


@check(order_is_kept)
def a_batch_equals_its_singles(subject: ModelUnderTest) -> None:
    """Otherwise an accuracy depends on the batch size: the commonest fault of speech LLMs in practice."""
    asks = _asks(subject)
    for ask, alone, together in zip(asks, subject.alone, subject.answers(asks), strict=True):
        if not subject.same(alone, together):
            raise CheckError(
                f"beside longer and shorter neighbours a {_kind(ask)} is answered differently "
                f"({told(alone)} alone, {told(together)} in a batch of {len(asks)}): look at "
                "the side of the padding, the attention mask and the position ids"
            )
        if isinstance(ask, ScoreAsk):
            _check_lone_continuations(subject, ask, alone)


@check(a_batch_equals_its_singles)
def a_bad_ask_fails_alone(subject: ModelUnderTest) -> None:
    """Otherwise one damaged file costs a whole batch its answers."""
    bad = _bad_ask(subject)
    if bad is None:
        raise NotApplicableError("it neither scores nor hears: no ask can be bad by itself")
    asks = _asks(subject)
    given = subject.answers([asks[0], bad, *asks[1:]])
    del given[1]  # whether a bad clip is refused is a promise of its own
    for ask, alone, beside in zip(asks, subject.alone, given, strict=True):
        if not subject.same(alone, beside):
            raise CheckError(
                f"beside a bad ask a good {_kind(ask)} gives {told(beside)}: raise an exception, so that "
                "the runner asks the others again, or put a Failure in the place of the bad one only"
            )


@check(no_state_between_calls)
def the_history_counts(subject: ModelUnderTest) -> None:
    """Otherwise every turn of a dialogue is answered as if it were the first."""
    subject.needs(Capability.MULTI_TURN)
    speech = not subject.can(Capability.TEXT_OUT)
    firsts = (
        (probes.SHORT, probes.LONG, "My name is Anna and I live in Lisbon.")
        if subject.can(Capability.TEXT_IN)
        else (probes.HARBOUR, probes.VIOLIN, probes.GARDEN)
    )
    last = "What did I just say?" if subject.can(Capability.TEXT_IN) else probes.HARBOUR
    replies = subject.singly(probes.conversation(first, last, speech) for first in firsts)
    if not any(subject.differ(*two) for two in pairwise(replies)):
        raise CheckError("three different first turns, one and the same reply: only the last turn is read")


@check()
def close_frees_memory(subject: ModelUnderTest) -> None:
    """Otherwise the rival or the base model finds the device full."""
    subject.close()
    before = _tensor_bytes()
    subject.renew()
    model = subject.model
    subject.singly(subject.probes[:1])
    held = _tensor_bytes() - before
    subject.close()
    left = _tensor_bytes() - before
    if held <= 0:
        raise NotApplicableError("it holds no tensors of torch")
    if left > LEFT_AFTER_CLOSE * held:
        raise CheckError(
            f"{left / 1e6:.1f} of {held / 1e6:.1f} MB of tensors are still there after "
            f"{type(model).__name__}.close(): drop the weights there, del self.model"
        )


def _asks(subject: ModelUnderTest) -> list[Ask]:
    if not subject.probes:
        raise NotApplicableError("it can do nothing that it declares")
    return subject.probes


def _bad_ask(subject: ModelUnderTest) -> ScoreAsk | ReplyAsk | None:
    gone = AudioClip.from_file("no-such-file.wav")
    if subject.can(Capability.SCORE_UNDER_AUDIO):
        return probes.score(gone)
    if subject.can(Capability.SCORE_UNDER_TEXT):
        return probes.score(probes.SHORT, endings=("", *probes.ENDINGS[1:]))
    if subject.can(Capability.AUDIO_IN):
        return probes.reply(gone, speech=not subject.can(Capability.TEXT_OUT))
    return None


def _check_order_of_scores(subject: ModelUnderTest, ask: ScoreAsk, straight: Given) -> None:
    backwards = subject.answer(replace(ask, continuations=ask.continuations[::-1]))
    if not (isinstance(straight, ScoreAnswer) and isinstance(backwards, ScoreAnswer)):
        return
    expected = replace(backwards, scores=backwards.scores[::-1])
    if subject.same(straight, expected):
        return
    known = [any(subject.same_score(score, other) for other in straight.scores) for score in backwards.scores]
    if all(known):
        raise CheckError("the scores of an ask do not stand in the order of its continuations")


def _check_lone_continuations(subject: ModelUnderTest, ask: ScoreAsk, given: Given) -> None:
    if not isinstance(given, ScoreAnswer):
        return
    alone = subject.singly(replace(ask, continuations=(one,)) for one in ask.continuations)
    for score, lone in zip(given.scores, alone, strict=True):
        if not subject.same(replace(given, scores=(score,)), lone):
            raise CheckError(
                "a continuation scored alone gets another score than beside longer and shorter ones: look at "
                "the padding of continuations and at what they share"
            )


def _tensor_bytes() -> int:
    """What all live tensors take. Only somebody who has imported torch can hold any."""
    if "torch" not in sys.modules:
        return 0
    gc.collect()
    tensor = sys.modules["torch"].Tensor
    # The type and not isinstance: asking proxies for their class wakes them.
    tensors = [one for one in gc.get_objects() if issubclass(type(one), tensor)]
    storages = {one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in tensors}
    return sum(storages.values())


def _kind(ask: Ask) -> str:
    given = "heard" if probes.hears(ask) else "read"
    return f"{'score' if isinstance(ask, ScoreAsk) else 'reply'} of what was {given}"
