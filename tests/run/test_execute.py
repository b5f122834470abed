"""Asking a batch: order kept, one bad ask alone, dialogues a turn at a time."""

from collections.abc import Sequence

import pytest

from speechzoo import (
    AudioClip,
    ContinuationScore,
    DialogueAnswer,
    DialogueAsk,
    Failure,
    ReplyAnswer,
    ReplyAsk,
    ScoreAnswer,
    ScoreAsk,
    Setup,
    raw,
    user,
)
from speechzoo.asks import MultiScoreAsk, with_clips
from speechzoo.audio import silence
from speechzoo.dialogue import clips_of
from speechzoo.run.execute import answer_batch


def model(**parameters: object) -> object:
    from speechzoo_instrument_parts import InstrumentModel

    return InstrumentModel(
        Setup("instrument"), **{"log": "", "delay": 0, "fault": "", "bias": 0, **parameters}
    )


def asks(poisoned: int) -> list[ScoreAsk]:
    return [ScoreAsk(raw(f"item {n}" + " poison" * (n == poisoned)), (" a", " b b")) for n in range(9)]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("raise", "model_error"),
        ("item", "bad_item"),
        ("memory", "out_of_memory"),
        ("nan", "non_finite"),
        ("few", "wrong_answer_shape"),
        ("drop", "model_error"),
    ],
)
@pytest.mark.parametrize("place", [0, 4, 8])
def test_a_bad_ask_fails_alone(instrument: object, fault: str, reason: str, place: int) -> None:
    """Otherwise: one item's fault invalidates its batch, or shifts scores to the neighbour."""
    good = answer_batch(model(), asks(poisoned=place))  # type: ignore[arg-type]
    found = answer_batch(model(fault=fault), asks(poisoned=place))  # type: ignore[arg-type]
    bad = found[place]
    assert isinstance(bad, Failure) and bad.reason == reason
    assert [a for i, a in enumerate(found) if i != place] == [a for i, a in enumerate(good) if i != place]


def test_out_of_memory_in_a_batch_is_met_by_smaller_batches(instrument: object) -> None:
    """Otherwise: a budget that is too large for the card loses items that fit one by one."""
    found = answer_batch(model(fault="memory-in-batches"), asks(poisoned=4))  # type: ignore[arg-type]
    assert all(isinstance(answer, ScoreAnswer) for answer in found)


def test_kinds_may_be_mixed_and_keep_their_order(instrument: object) -> None:
    """Otherwise: a reply is filed as another item's score."""
    mixed = [
        ScoreAsk(raw("one"), (" a",)),
        ReplyAsk((user("two"),)),
        DialogueAsk((user("three"), user("four"))),
        ScoreAsk(raw("five"), (" a",)),
    ]
    found = answer_batch(model(), mixed)  # type: ignore[arg-type]
    assert [type(a) for a in found] == [ScoreAnswer, ReplyAnswer, DialogueAnswer, ScoreAnswer]
    assert found[3] == answer_batch(model(), mixed[3:])[0]  # type: ignore[arg-type]


class Echo:
    """Replies with everything said so far."""

    def reply(self, asks: Sequence[ReplyAsk]) -> list[ReplyAnswer | Failure]:
        return [
            Failure("refused", "no") if "bad" in ask.dialogue[-1].text
            else ReplyAnswer("/".join(f"{m.role[0]}:{m.text}" for m in ask.dialogue))
            for ask in asks
        ]  # fmt: skip

    def score(self, asks: Sequence[ScoreAsk]) -> list[ScoreAnswer | Failure]:
        raise AssertionError

    def close(self) -> None:
        pass


def test_a_dialogue_carries_its_own_replies_and_a_turn_fails_alone() -> None:
    """Otherwise: the second turn is answered without the first, with another dialogue's, or not at all."""
    found = answer_batch(
        Echo(),
        [
            DialogueAsk((user("hello"), user("again"))),
            DialogueAsk((user("fine"), user("bad"), user("never"))),
            DialogueAsk((user("short"),)),
        ],
    )
    first, second, third = found
    assert isinstance(first, DialogueAnswer) and isinstance(third, DialogueAnswer)
    assert first.replies[1].text == "u:hello/a:u:hello/u:again"
    assert isinstance(second, DialogueAnswer)
    failed, after = second.replies[1:]
    assert isinstance(failed, Failure) and failed.reason == "refused"
    assert after.text == "u:fine/a:u:fine/u:bad/a:/u:never"
    assert third.replies[0].text == "u:short"


def several(*contexts: str | AudioClip) -> MultiScoreAsk:
    return MultiScoreAsk(tuple(ScoreAsk(raw(context), (f" end {n}",)) for n, context in enumerate(contexts)))


def test_scores_under_several_contexts_are_joined_in_order(instrument: object) -> None:
    """Otherwise: an ending is compared by the score of another one, and the gap is noise."""
    mixed = [
        ScoreAsk(raw("before"), (" a", " b")),
        several("one", "two", "three"),
        ReplyAsk((user("between"),)),
        several("four", "five"),
        ScoreAsk(raw("after"), (" a",)),
    ]
    found = answer_batch(model(), mixed)  # type: ignore[arg-type]
    alone = [
        [answer_batch(model(), [one])[0].scores[0] for one in ask.asks]  # type: ignore[arg-type, union-attr]
        for ask in mixed
        if isinstance(ask, MultiScoreAsk)
    ]
    assert [list(found[1].scores), list(found[3].scores)] == alone  # type: ignore[union-attr]
    for place in (0, 2, 4):
        assert found[place] == answer_batch(model(), [mixed[place]])[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("raise", "model_error"), ("nan", "non_finite"), ("few", "wrong_answer_shape"), ("drop", "model_error")],
)
def test_one_failing_context_fails_its_ask_and_no_other(instrument: object, fault: str, reason: str) -> None:
    """Otherwise: a pair with one score is graded, or its neighbours get each other's scores."""
    batch = [several("one", "two"), several("three", "poison"), several("five", "six")]
    good = answer_batch(model(), batch)  # type: ignore[arg-type]
    found = answer_batch(model(fault=fault), batch)  # type: ignore[arg-type]
    assert isinstance(found[1], Failure) and found[1].reason == reason
    assert (found[0], found[2]) == (good[0], good[2])


class Timed:
    """Takes one second a character, and hears what is said in every clip."""

    def score(self, asks: Sequence[ScoreAsk]) -> list[ScoreAnswer | Failure]:
        return [
            ScoreAnswer(
                tuple(ContinuationScore(-1.0, 1) for _ in ask.continuations),
                heard=" ".join(clip.transcript or "" for clip in clips_of(ask.context)) or None,
                timings={"score": float(len(ask.context[0].text)), **({"listen": 0.5} if i else {})},
                means=True,
            )
            for i, ask in enumerate(asks)
        ]

    def reply(self, asks: Sequence[ReplyAsk]) -> list[ReplyAnswer | Failure]:
        raise AssertionError

    def close(self) -> None:
        pass


def test_joined_answers_keep_what_is_known_of_each(instrument: object) -> None:
    """Otherwise: a pair seems to take the time of one context, or imported means pass for sums."""
    (found,) = answer_batch(Timed(), [several("abc", "de")])
    assert isinstance(found, ScoreAnswer)
    assert found.timings == {"listen": 0.5, "score": 5.0}
    assert found.means and found.heard is None
    clips = [AudioClip(silence(0.2).encoded(), transcript=text) for text in ("good", "morning")]
    (found,) = answer_batch(Timed(), [several(*clips)])
    assert isinstance(found, ScoreAnswer) and found.heard == "good morning"
    (found,) = answer_batch(Timed(), [several(clips[0], "half of it is read")])
    assert isinstance(found, ScoreAnswer) and found.heard is None


def test_clips_are_scored_as_continuations(instrument: object) -> None:
    """Otherwise: the instrument cannot stand in for a model that scores speech, and nobody tests the runner
    with one."""
    ends = (silence(0.2), silence(0.3))
    (found,) = answer_batch(model(), [ScoreAsk(raw(silence(0.1)), ends)])  # type: ignore[arg-type]
    (changed,) = answer_batch(  # type: ignore[arg-type]
        model(),  # type: ignore[arg-type]
        [with_clips(ScoreAsk(raw(silence(0.1)), ends), lambda clip: silence(0.5))],
    )
    assert isinstance(found, ScoreAnswer) and isinstance(changed, ScoreAnswer)
    assert len({score.log_likelihood for score in (*found.scores, *changed.scores)}) == 4


class ScoresOnly:
    """Has the one method that its capabilities need."""

    def score(self, asks: Sequence[ScoreAsk]) -> list[ScoreAnswer | Failure]:
        return [ScoreAnswer(tuple(ContinuationScore(-1.0, 1) for _ in ask.continuations)) for ask in asks]

    def close(self) -> None:
        pass


def test_a_model_that_only_scores_needs_no_other_method() -> None:
    """Otherwise: an author's first model, as the documentation has it, kills its worker at every ask."""
    (found,) = answer_batch(ScoresOnly(), [ScoreAsk(raw("a"), (" b",))])  # type: ignore[arg-type]
    assert isinstance(found, ScoreAnswer)
