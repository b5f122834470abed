"""Digests say when two asks are one; `checked` keeps what is no answer out of every comparison."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechzoo.asks import (
    Answer,
    Ask,
    ContinuationScore,
    DialogueAnswer,
    DialogueAsk,
    Failure,
    MultiScoreAsk,
    ReplyAnswer,
    ReplyAsk,
    ScoreAnswer,
    ScoreAsk,
    ask_digest,
    checked,
    context_digest,
    heard_by,
    is_truncated,
    spoken_text,
    with_clips,
)
from speechzoo.audio import AudioClip, silence
from speechzoo.dialogue import Message, assistant, raw, system, user

CLIPS = [silence(0.1), silence(0.2), AudioClip.from_samples(np.full(1600, 0.5, np.float32), 16_000)]

parts = st.one_of(st.text(max_size=5), st.sampled_from(CLIPS))
messages = st.builds(
    Message,
    st.sampled_from(["system", "user", "assistant"]),
    st.lists(parts, max_size=3).map(tuple),
)
dialogues = st.lists(messages, max_size=3).map(tuple)
texts = st.lists(st.text(max_size=5), max_size=3).map(tuple)
limits = st.integers(1, 3)
continuations = st.lists(parts, max_size=3).map(tuple)
score_asks_drawn = st.builds(ScoreAsk, dialogues, continuations, st.booleans())
asks = st.one_of(
    score_asks_drawn,
    st.builds(MultiScoreAsk, st.lists(score_asks_drawn, max_size=2).map(tuple)),
    st.builds(ReplyAsk, dialogues, st.booleans(), limits),
    st.builds(DialogueAsk, dialogues, dialogues, st.booleans(), limits),
)


@given(asks, asks)
def test_two_asks_have_one_digest_only_if_they_are_equal(one: Ask, other: Ask) -> None:
    """Otherwise an answer would be taken for another question's."""
    assert (ask_digest(one) == ask_digest(other)) == (one == other)


@given(asks)
def test_a_digest_is_of_the_content_and_not_of_the_objects(ask: Ask) -> None:
    """Otherwise a resumed run would ask everything again."""
    same = with_clips(ask, lambda clip: AudioClip.from_bytes(clip.encoded(), transcript="told now"))
    assert ask_digest(same) == ask_digest(ask)
    assert context_digest(same) == context_digest(ask)


SCORE = ScoreAsk(raw("Once ", CLIPS[0]), (" upon", " under"))
REPLY = ReplyAsk((system("Be brief."), user(CLIPS[0], "Why?")))
BOTH = MultiScoreAsk((ScoreAsk(raw(CLIPS[0]), (" upon",)), ScoreAsk(raw(CLIPS[1]), (" under",))))
TALK = DialogueAsk((user("Hi"), user(CLIPS[0])), (system("Be brief."),))


@pytest.mark.parametrize(
    ("ask", "changes"),
    [
        (SCORE, {"context": raw("Once", CLIPS[0])}),
        (SCORE, {"context": raw("Once ", CLIPS[1])}),
        (SCORE, {"context": raw(CLIPS[0], "Once ")}),
        (SCORE, {"context": (assistant("Once ", CLIPS[0]),)}),
        (SCORE, {"continuations": (" under", " upon")}),
        (SCORE, {"continuations": (" upon under",)}),
        (SCORE, {"chat": True}),
        (SCORE, {"continuations": (CLIPS[0], CLIPS[1])}),
        (SCORE, {"context": raw("Once ", replace(CLIPS[0], language="zh"))}),
        (BOTH, {"asks": BOTH.asks[::-1]}),
        (BOTH, {"asks": (BOTH.asks[0], BOTH.asks[0])}),
        (BOTH, {"asks": (BOTH.asks[0], replace(BOTH.asks[1], continuations=(" sat",)))}),
        (REPLY, {"dialogue": REPLY.dialogue[1:]}),
        (REPLY, {"speech": True}),
        (REPLY, {"max_tokens": 255}),
        (TALK, {"turns": TALK.turns[::-1]}),
        (TALK, {"opening": (), "turns": (*TALK.opening, *TALK.turns)}),
        (TALK, {"speech": True}),
        (TALK, {"max_tokens": 255}),
    ],
)
def test_every_field_that_can_change_an_answer_changes_the_digest(
    ask: Ask, changes: dict[str, object]
) -> None:
    """Otherwise a changed prompt would be given the old prompt's answer."""
    assert ask_digest(replace(ask, **changes)) != ask_digest(ask)  # type: ignore[arg-type]


def test_continuations_do_not_divide_a_prefill() -> None:
    """Otherwise a model would read the same story once for each of its endings."""
    assert context_digest(replace(SCORE, continuations=(" x",))) == context_digest(SCORE)
    assert context_digest(replace(SCORE, chat=True)) != context_digest(SCORE)


GOOD = ContinuationScore(-3.0, 2)
SAID = ReplyAnswer("yes")
SPOKEN = ReplyAnswer(None, silence(0.1))


@pytest.mark.parametrize(
    ("ask", "answer", "reason"),
    [
        (SCORE, ScoreAnswer((GOOD, ContinuationScore(math.nan, 2))), "non_finite"),
        (SCORE, ScoreAnswer((ContinuationScore(-math.inf, 2), GOOD)), "non_finite"),
        (SCORE, ScoreAnswer((ContinuationScore(math.inf, 2), GOOD)), "non_finite"),
        (SCORE, ScoreAnswer((GOOD, ContinuationScore(0.0, 0))), "empty_continuation"),
        (SCORE, ScoreAnswer((GOOD,)), "wrong_answer_shape"),
        (SCORE, ScoreAnswer((GOOD, GOOD, GOOD)), "wrong_answer_shape"),
        (SCORE, ScoreAnswer((-3.0, -4.0)), "wrong_answer_shape"),  # type: ignore[arg-type]
        (SCORE, SAID, "wrong_answer_shape"),
        (SCORE, None, "wrong_answer_shape"),
        (BOTH, ScoreAnswer((GOOD,)), "wrong_answer_shape"),
        (BOTH, ScoreAnswer((GOOD, ContinuationScore(math.nan, 2))), "non_finite"),
        (
            replace(SCORE, continuations=(CLIPS[0],)),
            ScoreAnswer((replace(GOOD, tokens=0),)),
            "empty_continuation",
        ),
        (REPLY, ScoreAnswer((GOOD, GOOD)), "wrong_answer_shape"),
        (REPLY, "yes", "wrong_answer_shape"),
        (REPLY, SPOKEN, "no_text"),
        (replace(REPLY, speech=True), SAID, "no_speech"),
        (TALK, SAID, "wrong_answer_shape"),
        (TALK, DialogueAnswer((SAID,)), "wrong_answer_shape"),
        (TALK, DialogueAnswer((SPOKEN, SPOKEN)), "no_text"),
        (replace(TALK, speech=True), DialogueAnswer((SAID, SAID)), "no_speech"),
    ],
)
def test_what_is_no_answer_becomes_a_failure(ask: Ask, answer: Answer, reason: str) -> None:
    """Otherwise an adapter's NaN or missing score would win or lose a comparison by its place."""
    outcome = checked(ask, answer)
    assert isinstance(outcome, Failure)
    assert outcome.reason == reason and outcome.detail


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        (SCORE, ScoreAnswer((GOOD, GOOD))),
        (BOTH, ScoreAnswer((GOOD, GOOD))),
        (REPLY, SAID),
        (REPLY, ReplyAnswer("")),
        (REPLY, Failure("out_of_memory")),
        (replace(REPLY, speech=True), SPOKEN),
        (TALK, DialogueAnswer((SAID, SAID))),
    ],
)
def test_an_answer_passes_as_it_is(ask: Ask, answer: Answer | Failure) -> None:
    """Otherwise good answers would be lost, or the reason of a failure replaced."""
    assert checked(ask, answer) == answer


def test_what_was_heard_and_said_is_known_whole_or_not_at_all() -> None:
    """Otherwise word error rates would be counted against half a transcript."""
    told = AudioClip.from_bytes(CLIPS[0].encoded(), "one")
    assert spoken_text(ReplyAsk((user(told, "and", told),))) == "one one"
    assert spoken_text(ReplyAsk((user(told, CLIPS[1]),))) is None
    assert spoken_text(ReplyAsk((user("no clip"),))) is None
    assert spoken_text(MultiScoreAsk((ScoreAsk(raw(told), ("a",)), ScoreAsk(raw(told), ("b",))))) == "one one"
    assert spoken_text(ScoreAsk(raw("read"), (told,))) is None
    talk = DialogueAnswer((ReplyAnswer("a", heard="x"), ReplyAnswer("b", truncated=True, heard="x y")))
    assert heard_by(talk) == "x y" and is_truncated(talk)
    assert heard_by(DialogueAnswer((*talk.replies, Failure("no_speech")))) is None
    assert heard_by(SAID) is None and not is_truncated(ScoreAnswer((GOOD,)))


def test_a_turn_that_failed_keeps_its_place_among_the_replies() -> None:
    """Otherwise one bad turn costs the whole dialogue, or a reply is taken for that of another turn."""
    answer = checked(TALK, DialogueAnswer((SAID, SPOKEN)))
    assert isinstance(answer, DialogueAnswer)
    assert answer.replies[0] == SAID
    assert isinstance(answer.replies[1], Failure)
    assert answer.replies[1].reason == "no_text"
