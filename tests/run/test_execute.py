"""Asking a batch: order kept, one bad ask alone, dialogues a turn at a time."""

from collections.abc import Sequence

import pytest

from speechzoo import (
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


def test_a_dialogue_carries_its_own_replies_and_fails_alone() -> None:
    """Otherwise: the second turn is answered without the first, or with another dialogue's."""
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
    assert isinstance(second, Failure) and second.reason == "refused" and "turn 2" in second.detail
    assert third.replies[0].text == "u:short"
