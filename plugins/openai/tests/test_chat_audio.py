"""Speech in and out by chat completions, against a server that tells what it heard."""

import json
import time

import numpy as np
import pytest

from plugins.openai.tests.protocol import RATE, VARIABLE, Reply, Trouble, spoken
from speechzoo import AudioClip, DialogueAsk, Failure, ReplyAsk, SetupError, assistant, system, user
from speechzoo.run.evaluate import MACHINE_FAILURES
from speechzoo.run.execute import answer_batch

NAME = "openai-chat-audio"


def levels(text):
    return [float(word) for word in text.split()[1:]]


@pytest.mark.parametrize("sends", ["wav", "flac"])
@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_a_clip_arrives_as_it_was(server, made, tone, sends, rate):
    """Otherwise what is measured as a loss by listening is a loss on the way."""
    server.takes = ("wav", "flac")
    clip = tone(1.2, 0.99, rate=rate)
    [answer] = made(NAME, server, sends=sends).reply([ReplyAsk((user("Listen: ", clip, " What is it?"),))])
    [heard] = server.clips()
    assert (heard.form, heard.rate) == (sends, rate)
    assert np.array_equal(heard.samples, np.rint(clip.samples() * 32_768).astype(np.int16))
    content = server.bodies[-1]["messages"][0]["content"]
    assert [part.get("text") for part in content] == ["Listen: ", None, " What is it?"]
    assert levels(answer.text) == pytest.approx([0.99 / 2**0.5] * 3, abs=2e-3)
    assert (answer.clip, answer.truncated) == (None, False)


@pytest.mark.parametrize(("speech_format", "open_wav"), [("wav", False), ("wav", True), ("pcm16", False)])
def test_a_spoken_reply_is_what_the_server_spoke(server, made, tone, speech_format, open_wav):
    """Otherwise replies are graded at another pitch, or lost to a header that was written too early."""
    server.open_wav = open_wav
    model = made(NAME, server, speech_format=speech_format, voice="verse")
    [answer] = model.reply([ReplyAsk((user(tone()),), speech=True)])
    assert server.bodies[-1]["modalities"] == ["text", "audio"]
    assert server.bodies[-1]["audio"] == {"voice": "verse", "format": speech_format}
    assert answer.clip.header.rate == RATE
    assert np.array_equal(answer.clip.samples() * 32_768, spoken(answer.text))
    assert answer.clip.transcript == answer.text


def test_who_replied_is_known_and_what_it_took(server, made):
    """Otherwise a name that stands for another model tomorrow tells nothing of which one was measured."""
    server.says = lambda body: Reply("one two three")
    [answer] = made(NAME, server).reply([ReplyAsk((user("Hello, you"),))])
    version = {"model": "echo-1-2025-01-01", "system_fingerprint": "fp_1"}
    assert answer.served == {**version, "input_tokens": 2, "output_tokens": 3}
    server.tells_usage = False
    [answer] = made(NAME, server).reply([ReplyAsk((user("Hello, you"),))])
    assert answer.served == version


def test_words_and_speech_may_come_as_two_choices(server, made, tone):
    """Otherwise a server that speaks is taken for one that does not."""
    server.splits = True
    [answer] = made(NAME, server).reply([ReplyAsk((user(tone()),), speech=True)])
    assert np.array_equal(answer.clip.samples() * 32_768, spoken(answer.text))
    assert answer.clip.transcript == answer.text


def test_a_reply_at_its_limit_is_truncated(server, made):
    """Otherwise a reply that was cut counts as all that the model had to say."""
    server.says = lambda body: Reply("one two three four five six")
    model = made(NAME, server, speech_tokens=4)
    short, whole, speech = model.reply(
        [ReplyAsk((user("Count."),), limit > 99, limit % 100) for limit in (3, 6, 104)]
    )
    assert (short.text, short.truncated) == ("one two three", True)
    assert (whole.text, whole.truncated) == ("one two three four five six", False)
    # Four text tokens with four audio tokens each beside them.
    assert (speech.text, speech.truncated) == ("one two three four", True)


def test_history_goes_as_text_in_its_roles(server, made, tone):
    """Otherwise a later turn is answered without the earlier ones, or refused by the server."""
    turns = (user(tone(0.5)), user("And now?"), user(tone(0.7)))
    [answer] = answer_batch(
        made(NAME, server), [DialogueAsk(turns, (system("Be short."),), speech=True, history="speech")]
    )
    last = server.bodies[-1]["messages"]
    assert [message["role"] for message in last] == [
        "system",
        "user",
        "assistant",
        "user",
        "assistant",
        "user",
    ]
    assert [last[2]["content"], last[4]["content"]] == [reply.text for reply in answer.replies[:2]]
    assert [len(clip.samples) / clip.rate for clip in server.clips()] == [0.5, 0.7]


def test_speech_of_the_model_without_words_cannot_be_sent(server, made, tone):
    """Otherwise the model would be asked about a turn that it is not shown."""
    [failure] = made(NAME, server).reply([ReplyAsk((user("Hello"), assistant(tone()), user("What?")))])
    assert failure.reason == "no_transcript"
    assert not server.received


def test_each_fails_alone_and_in_place(server, made, tone, tmp_path):
    """One damaged file must not cost its neighbours their answers, nor shift them."""
    gone = AudioClip.from_file(tmp_path / "gone.wav")
    asks = [ReplyAsk((user(part),)) for part in (tone(level=0.1), gone, "read", tone(level=0.2), tone(30))]
    first, missing, read, last, large = made(NAME, server, max_megabytes=1.0).reply(asks)
    assert levels(first.text)[0] == pytest.approx(0.1 / 2**0.5, abs=2e-3)
    assert levels(last.text)[0] == pytest.approx(0.2 / 2**0.5, abs=2e-3)
    assert levels(read.text) == []
    assert (missing.reason, large.reason) == ("missing_file", "too_large")
    assert "1.3 MB" in large.detail
    assert len(server.received) == 3


def test_retry_after_is_honoured(server, made):
    """Otherwise a server that asks for a pause is pressed until it locks the user out."""
    server.troubles.extend([Trouble(429, retry_after=0.9)])
    [answer] = made(NAME, server).reply([ReplyAsk((user("a"),))])
    assert answer.text
    assert 0.85 < server.times[1] - server.times[0] < 3


@pytest.mark.parametrize("trouble", [Trouble(500), Trouble(429, retry_after=0.01), Trouble(cut=True)])
def test_a_server_that_cannot_now_is_asked_again_and_then_given_up(server, made, trouble):
    """Otherwise one hiccup costs an answer, or a server that is down holds the run for ever."""
    model = made(NAME, server)
    server.troubles.extend([trouble] * 2)
    assert model.reply([ReplyAsk((user("a"),))])[0].text
    server.troubles.extend([trouble] * 3)
    [failure] = model.reply([ReplyAsk((user("a"),))])
    assert failure.reason == "unreachable"
    assert "127.0.0.1" in failure.detail
    assert len(server.times) == 6


def test_nobody_there(made, server):
    """The user reads which server does not answer, not a stack trace."""
    server.base_url = "http://127.0.0.1:9/v1"
    [failure] = made(NAME, server, retries=0).reply([ReplyAsk((user("a"),))])
    assert failure.reason == "unreachable"
    assert "127.0.0.1:9" in failure.detail


def test_a_server_that_hangs_is_left(server, made):
    """Otherwise one request holds the whole run."""
    server.troubles.append(Trouble(wait=3))
    start = time.monotonic()
    failure, other = made(NAME, server, timeout=0.5, retries=0, parallel=1).reply(
        [ReplyAsk((user("a"),)), ReplyAsk((user("b"),))]
    )
    assert failure == Failure("timed_out", f"{server.base_url[7:-3]} was silent for 0.5 s")
    assert other.text
    assert time.monotonic() - start < 2.5


@pytest.mark.parametrize(
    "body",
    [
        b'{"choices": [',
        b"<html>busy</html>",
        b"[]",
        b'{"choices": []}',
        b'{"error": "no"}',
        b'{"choices": [{}]}',
    ],
)
def test_what_is_no_completion_is_said_to_be_none(server, made, body):
    """Otherwise nonsense of a proxy counts as an empty reply of the model."""
    server.troubles.append(Trouble(body=body))
    [failure] = made(NAME, server).reply([ReplyAsk((user("a"),))])
    assert failure.reason == "bad_response"


def test_speech_that_is_none_is_said_to_be_none(server, made):
    """Otherwise a reply that nobody can play is transcribed as silence."""
    broken = {"data": "UklGRgAAAABXQVZF", "transcript": "hello"}
    for audio, reason in (
        (broken, "truncated_audio"),
        ({"data": "%%%"}, "bad_response"),
        (None, "no_speech"),
    ):
        body = {"choices": [{"message": {"content": "hello", "audio": audio}}]}
        server.troubles.append(Trouble(body=json.dumps(body).encode()))
        [failure] = answer_batch(made(NAME, server), [ReplyAsk((user("a"),), speech=True)])
        assert failure.reason == reason


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply("", refusal="I cannot help with that."), "refused"),
        (Reply("half an ans", finish_reason="content_filter"), "content_filter"),
    ],
)
def test_refusals_are_outcomes_of_their_own(server, made, reply, reason):
    """Otherwise a filter of the company counts as a wrong answer of the model."""
    server.says = lambda body: reply
    [failure] = made(NAME, server).reply([ReplyAsk((user("a"),))])
    assert failure == Failure(reason, reply.refusal or reply.text)


def test_half_a_character_fails_alone(server, made):
    """A text that no request can hold must not cost its neighbours their answers, or be paid for twice."""
    half, whole = made(NAME, server).reply([ReplyAsk((user("\ud83d"),)), ReplyAsk((user("whole"),))])
    assert half.reason == "not_unicode"
    assert whole.text
    assert len(server.received) == 1


def test_a_format_the_server_does_not_take_is_named(server, made, tone):
    """The user reads what to set otherwise; the request is not sent again."""
    [failure] = made(NAME, server, sends="flac").reply([ReplyAsk((user(tone()),))])
    assert failure.reason == "request_refused"
    assert "input_audio.format" in failure.detail
    assert len(server.times) == 1


@pytest.mark.parametrize(
    ("settings", "trouble", "told"),
    [
        ({"model": "gpt-none"}, None, "gpt-none"),
        ({}, Trouble(429, error={"message": "no money left", "code": "insufficient_quota"}), "no money left"),
        ({}, Trouble(403, error={"message": "not in your country"}), VARIABLE),
    ],
)
def test_what_no_request_will_mend_ends_the_run(server, made, settings, trouble, told):
    """Otherwise a thousand requests are sent to learn a thousand times that the model's name is wrong."""
    server.troubles.extend([trouble] * 3 if trouble else [])
    with pytest.raises(SetupError, match=told):
        made(NAME, server, **settings).reply([ReplyAsk((user("a"),))])


def test_answers_outlive_an_empty_account(server, made):
    """Otherwise answers that are paid for are asked for, and paid for, again."""
    no_money = Trouble(429, error={"message": "no money left", "code": "insufficient_quota"})
    server.troubles.extend([Trouble(), no_money])
    first, second, third = made(NAME, server, retries=0, parallel=1).reply([ReplyAsk((user("a"),))] * 3)
    assert first.text
    # A failure that a later call tries again.
    assert {second.reason, third.reason} == {"unreachable"} <= MACHINE_FAILURES
    assert len(server.times) == 2


def test_requests_go_side_by_side_but_not_too_many(server, made):
    """Otherwise a run takes as long as all its requests together, or is locked out for haste."""
    server.troubles.extend([Trouble(wait=0.3)] * 6)
    start = time.monotonic()
    answers = made(NAME, server, parallel=3).reply([ReplyAsk((user(f"question {i}"),)) for i in range(6)])
    assert server.most_under_way == 3
    assert time.monotonic() - start < 1.5
    alone = made(NAME, server).reply([ReplyAsk((user("question 4"),))])
    assert answers[4].text == alone[0].text


def test_a_name_that_stands_for_another_model_is_noticed(server, made, caplog):
    """An API can change under one name in the middle of a run, and numbers before and after differ."""
    model = made(NAME, server)
    model.reply([ReplyAsk((user("a"),))] * 2)
    assert not caplog.records
    body = b'{"choices": [{"message": {"content": "hi"}}], "model": "echo-1-2025-06-01"}'
    server.troubles.append(Trouble(body=body))
    model.reply([ReplyAsk((user("a"),))])
    assert "now answers as echo-1-2025-06-01, before as echo-1-2025-01-01" in caplog.text


@pytest.mark.parametrize(
    ("temperature", "sent"), [(0.0, {"temperature": 0.0}), (0.7, {"temperature": 0.7, "seed": 0}), (-1.0, {})]
)
def test_what_is_drawn_is_drawn_by_the_seed(server, made, temperature, sent):
    """Otherwise the same command gives another number each time, where the server could repeat itself."""
    made(NAME, server, temperature=temperature).reply([ReplyAsk((user("a"),))])
    body = server.bodies[-1]
    assert {name: body[name] for name in ("temperature", "seed") if name in body} == sent
