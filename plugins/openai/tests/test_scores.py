"""Scores by prompt_logprobs, against a server with a small model whose probabilities are known."""

import pytest

from plugins.openai.tests.language_model import ASSISTANT, END, START, USER
from plugins.openai.tests.protocol import Trouble
from speechzoo import ScoreAsk, SetupError, raw, user

NAME, HEARS = "openai-completions", "openai-chat-scores"


@pytest.fixture(autouse=True)
def scores(server):
    server.scores = True


def expected(server, context, continuation):
    """Of the continuation's bytes after the context's ids, straight from the model."""
    ids = [*context, *continuation.encode()]
    told = server.model.logprobs(ids)[len(context) :]
    return sum(one[str(id)]["logprob"] for id, one in zip(ids[len(context) :], told, strict=True))


def given(answer):
    return [(score.log_likelihood, score.tokens) for score in answer.scores]


def test_scores_are_those_of_the_model(server, made):
    """Otherwise every number is that of other tokens."""
    ask = ScoreAsk(raw("The sea", " is"), (" green", " grün"))
    [answer] = made(NAME, server).score([ask])
    wanted = [expected(server, b"The sea is", text) for text in ask.continuations]
    assert given(answer) == [(pytest.approx(wanted[0]), 6), (pytest.approx(wanted[1]), 6)]


def test_chat_contexts_stand_in_the_template(server, made):
    """Otherwise an instructed model is scored as a base model, or the other way round."""
    [answer] = made(NAME, server).score([ScoreAsk((user("Sea?"),), ("green",), chat=True)])
    context = [START, USER, *b"Sea?", END, ASSISTANT]
    assert given(answer) == [(pytest.approx(expected(server, context, "green")), 5)]


def test_an_empty_context_is_the_start_of_a_text(server, made):
    """Otherwise the likelihood of endings by themselves cannot be taken out."""
    [answer] = made(NAME, server).score([ScoreAsk(raw(""), ("green",))])
    assert given(answer) == [(pytest.approx(expected(server, [START], "green")), 5)]


def test_bad_asks_fail_alone(server, made, tone):
    """One empty ending must not cost its neighbours their scores."""
    asks = [ScoreAsk(raw("a"), endings) for endings in (("b",), ("",), (tone(),), ("c",))]
    one, empty, spoken, other = made(NAME, server).score(asks)
    assert (empty.reason, spoken.reason) == ("empty_continuation", "cannot_score_speech")
    assert given(one)[0][0] == pytest.approx(expected(server, b"a", "b"))
    assert given(other)[0][0] == pytest.approx(expected(server, b"a", "c"))


def test_audio_is_scored_under(server, made, tone):
    """Otherwise a model is said to lose nothing by listening, as it was guessing both times."""
    model = made(HEARS, server)
    asks = [ScoreAsk(raw("Hear: ", clip), ("green", "red")) for clip in (tone(), tone(level=0.1), tone())]
    loud, quiet, again = map(given, model.score(asks))
    assert loud == again
    assert [tokens for _, tokens in loud] == [5, 3]
    assert abs(loud[0][0] - quiet[0][0]) > 1e-3
    [read] = model.score([ScoreAsk(raw("Hear: it"), ("green",))])
    context = [START, USER, *b"Hear: it", END, ASSISTANT]
    assert given(read) == [(pytest.approx(expected(server, context, "green")), 5)]


def test_a_template_that_changes_the_continuation_is_found_out(server, made):
    """Otherwise "green" is scored where " green" was asked, and told as the other."""
    server.trims = True
    failure, answer = made(HEARS, server).score(
        [ScoreAsk(raw("Sea?"), (" green",)), ScoreAsk(raw("Sea?"), ("green",))]
    )
    assert failure.reason == "other_tokens"
    assert "' green'" in failure.detail
    assert given(answer)[0][1] == 5


@pytest.mark.parametrize(
    ("name", "lacks", "settings", "told"),
    [
        (NAME, {"scores": False}, {}, "/tokenize"),
        (HEARS, {"scores": False}, {}, "/tokenize"),
        (HEARS, {"scores_audio": False}, {}, "prompt_logprobs of a chat with audio"),
        (HEARS, {}, {"model": "gpt-none"}, "gpt-none"),
    ],
)
def test_a_server_that_cannot_score_is_told_at_the_start(server, made, name, lacks, settings, told):
    """Otherwise a run is planned and every item of it fails."""
    for attribute, value in lacks.items():
        setattr(server, attribute, value)
    with pytest.raises(SetupError, match=told):
        made(name, server, **settings)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"choices": [{"prompt_logprobs": [null, {"98": {"logprob": -9999.0}}]}]}', "non_finite"),
        (b'{"choices": [{"prompt_logprobs": [null, {"99": {"logprob": -1.0}}]}]}', "bad_response"),
        (b'{"choices": [{"prompt_logprobs": [null]}]}', "bad_response"),
        (b'{"choices": [{"prompt_logprobs": null}]}', "bad_response"),
        (b'{"choices": []}', "bad_response"),
    ],
)
def test_scores_that_are_none(server, made, body, reason):
    """Otherwise a stand-in for minus infinity, or a neighbour's number, counts as a score."""
    model = made(NAME, server)
    ask = ScoreAsk(raw("a"), ("b",))
    model.score([ask])  # so that only the scores are still to be asked for
    server.troubles.append(Trouble(body=body))
    assert model.score([ask])[0].reason == reason
