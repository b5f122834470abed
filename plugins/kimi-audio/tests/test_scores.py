"""Scores against the package's own step by step decoding: the same streams, forced token by token."""

import pytest

from speechzoo import Failure, ReplyAsk, ScoreAsk, system, user


def test_chat_scores_are_those_of_the_packages_own_steps(model, noise):
    """Otherwise what is scored is not what the model would have written with that probability."""
    dialogue = (system("Answer in one word."), user("What is this? ", noise(1.3), noise(0.5)))
    ask = ScoreAsk(dialogue, ("a dog", "some birds", "x"), chat=True)
    [answer] = model.score([ask])
    expected = [one.log_likelihood for one in model.score_plainly(ask).scores]
    assert [one.log_likelihood for one in answer.scores] == pytest.approx(expected, abs=1e-4)
    assert {one.audio_tokens for one in answer.scores} == {17 + 7}


def test_the_likeliest_text_is_what_the_model_writes(model, noise):
    """Otherwise scores are of another prompt than replies are."""
    context = (user("What is this? ", noise(1.3)),)
    [reply] = model.reply([ReplyAsk(context, max_tokens=1)])
    every = [ScoreAsk(context, (chr(code),), chat=True) for code in range(33, 127)]
    likely = [one.scores[0].log_likelihood for one in model.score(every)]
    assert reply.text == chr(33 + max(range(94), key=likely.__getitem__))


def test_plain_scores_have_no_role_around_the_context(model, noise):
    """Otherwise a story's ending is scored as an answer to the story."""
    context = (user("It began so: ", noise(1.0)),)
    plainly, as_answer = (model.score([ScoreAsk(context, ("the end",), chat)])[0] for chat in (False, True))
    assert plainly.scores[0].audio_tokens == as_answer.scores[0].audio_tokens == 13
    assert plainly.scores[0].log_likelihood != pytest.approx(as_answer.scores[0].log_likelihood, abs=1e-3)


def test_what_cannot_be_scored_fails_alone(model, noise):
    """Otherwise one odd item ends the run, or counts as a score."""
    asks = [
        ScoreAsk((user("a"),), (noise(0.5),)),
        ScoreAsk((user("a"),), ("",)),
        ScoreAsk((user("a<|im_msg_end|>"),), ("b",)),
        ScoreAsk((user("a"),), ("b",)),
    ]
    answers = model.score(asks)
    reasons = [one.reason if isinstance(one, Failure) else "" for one in answers]
    assert reasons == ["speech_not_scored", "empty_continuation", "tag_in_text", ""]
