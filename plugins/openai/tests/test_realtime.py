"""Speech in and out over a WebSocket, against a server that tells what it heard."""

import base64
import time

import numpy as np
import pytest

from plugins.openai.tests.protocol import VARIABLE, spoken
from plugins.openai.tests.realtime_protocol import Trouble
from speechzoo import AudioClip, DialogueAsk, Failure, ItemError, ReplyAsk, SetupError, system, user
from speechzoo.run.execute import answer_batch

NAME = "openai-realtime"
SERVER_ERROR = {"type": "server_error", "code": None, "message": "oh dear"}


def events(server, kind, session=-1):
    return [event for event in server.sessions[session] if event["type"] == kind]


@pytest.mark.parametrize("old", [False, True])
def test_a_clip_arrives_at_24_khz_and_the_reply_is_heard_whole(realtime_server, made, tone, old):
    """Otherwise the model hears another pitch, or we hear its reply cut."""
    realtime_server.old = old
    model = made(NAME, realtime_server, voice="cedar")
    [answer] = model.reply([ReplyAsk((user("Listen:", tone(1.0, rate=8_000)),), speech=True)])
    assert answer.text.startswith("- user:Listen: 1.00s 0.17")
    assert np.array_equal(answer.clip.samples() * 32_768, spoken(answer.text))
    assert (answer.clip.header.rate, answer.clip.transcript, answer.truncated) == (24_000, answer.text, False)
    [update] = events(realtime_server, "session.update")
    assert update["session"]["audio"]["output"]["voice"] == "cedar"


def test_sixteen_bits_stay_what_they_were(realtime_server, made, tone):
    """Otherwise what is measured as a loss by listening is a loss on the way."""
    clip = tone(0.5, rate=24_000)
    made(NAME, realtime_server).reply([ReplyAsk((user(clip),))])
    [item] = events(realtime_server, "conversation.item.create")
    sent = np.frombuffer(base64.b64decode(item["item"]["content"][0]["audio"]), "<i2")
    assert np.array_equal(sent, np.rint(clip.samples() * 32_768))


def test_a_text_reply_has_no_speech(realtime_server, made):
    """Otherwise speech is paid for that nobody hears."""
    [answer] = made(NAME, realtime_server).reply([ReplyAsk((user("Hello there"),))])
    assert (answer.text, answer.clip) == ("- user:Hello_there", None)


def test_a_dialogue_is_shown_whole(realtime_server, made, tone):
    """Otherwise a later turn is answered without the earlier ones, or under the server's own instructions."""
    ask = DialogueAsk((user(tone(0.5)), user("And now?")), (system("Be short."),), speech=True)
    [answer] = answer_batch(made(NAME, realtime_server), [ask])
    first, second = answer.replies
    assert first.text.startswith("Be short. 0.50s")
    said = first.text.replace(" ", "_")
    assert second.text == f"Be short. {first.text.removeprefix('Be short. ')} assistant:{said} user:And_now?"
    [update] = events(realtime_server, "session.update")
    assert update["session"]["instructions"] == "Be short."


def test_a_reply_at_its_limit_is_truncated(realtime_server, made, tone):
    """Otherwise a reply that was cut counts as all that the model had to say."""
    model = made(NAME, realtime_server, speech_tokens=4)
    cut, whole = model.reply([ReplyAsk((user(tone(3)),), True, limit) for limit in (3, 30)])
    assert (cut.text, cut.truncated, whole.truncated) == (" ".join(whole.text.split()[:3]), True, False)


def test_streamed_pieces_make_the_whole(realtime_server, made, tone):
    """Otherwise what is measured offline is not what a listener of the stream hears."""
    model = made(NAME, realtime_server)
    ask = ReplyAsk((user(tone(2.2)),), speech=True)
    pieces, [whole] = list(model.stream(ask)), model.reply([ask])
    clips = [piece.clip for piece in pieces if piece.clip is not None]
    assert len(clips) > 3
    assert "".join(piece.text or "" for piece in pieces) == whole.text
    assert np.array_equal(np.concatenate([clip.samples() for clip in clips]), whole.clip.samples())


def test_a_listener_may_leave(realtime_server, made, tone):
    """Otherwise sessions stay open, and paid for, until the run is over."""
    stream = made(NAME, realtime_server).stream(ReplyAsk((user(tone(30)),), speech=True))
    assert next(stream).text
    stream.close()
    for _ in range(100):
        if realtime_server.open_sessions == 0:
            break
        time.sleep(0.05)
    assert realtime_server.open_sessions == 0


def test_nothing_passes_from_one_ask_to_the_next(realtime_server, made, tone):
    """Otherwise an answer depends on what was asked before."""
    model = made(NAME, realtime_server, parallel=4)
    asks = [ReplyAsk((user(tone(0.3 + i / 10)),), speech=i % 2 == 0) for i in range(6)]
    together = model.reply(asks)
    assert [one.text for one in together] == [model.reply([ask])[0].text for ask in asks]
    assert len(realtime_server.sessions) == 12


def test_retry_after_at_the_door_is_honoured(realtime_server, made):
    """Otherwise a server that asks for a pause is pressed until it locks the user out."""
    realtime_server.troubles.append(Trouble(429, retry_after=0.8))
    [answer] = made(NAME, realtime_server).reply([ReplyAsk((user("a"),))])
    assert answer.text
    assert 0.75 < realtime_server.times[1] - realtime_server.times[0] < 3


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble(503),
        Trouble(breaks=True),
        Trouble(error=SERVER_ERROR),
        Trouble(status_details={"type": "failed", "error": SERVER_ERROR}),
    ],
)
def test_a_server_that_cannot_now_is_asked_again_and_then_given_up(realtime_server, made, trouble):
    """Otherwise half a reply counts as a whole one, or one hiccup costs an answer."""
    model = made(NAME, realtime_server, retries=1)
    ask = ReplyAsk((user("a"),), speech=True)
    realtime_server.troubles.append(trouble)
    [answer] = model.reply([ask])
    assert len(answer.clip.samples()) == len(spoken(answer.text))
    realtime_server.troubles.extend([trouble] * 2)
    [failure] = model.reply([ask])
    assert failure.reason == "unreachable"


def test_a_stream_that_breaks_off_says_so(realtime_server, made):
    """Otherwise half a reply counts as a whole one; and a listener cannot be told it all again."""
    realtime_server.troubles.append(Trouble(breaks=True))
    with pytest.raises(ItemError, match="unreachable"):
        list(made(NAME, realtime_server).stream(ReplyAsk((user("a"),), speech=True)))
    assert len(realtime_server.sessions) == 1


def test_a_server_that_hangs_is_left(realtime_server, made):
    """Otherwise one session holds the whole run."""
    realtime_server.troubles.append(Trouble(wait=2))
    start = time.monotonic()
    [failure] = made(NAME, realtime_server, timeout=0.5).reply([ReplyAsk((user("a"),))])
    assert failure.reason == "timed_out"
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (Trouble(garbage=True), "bad_response"),
        (Trouble(status_details={"type": "incomplete", "reason": "content_filter"}), "content_filter"),
        (Trouble(status_details={"type": "cancelled", "reason": "turn_detected"}), "bad_response"),
        (Trouble(error={"type": "invalid_request_error", "code": "bad", "message": "no"}), "request_refused"),
        (Trouble(400), "request_refused"),
    ],
)
def test_what_is_no_reply_is_an_outcome_of_its_own(realtime_server, made, trouble, reason):
    """Otherwise a filter or a fault counts as the model's answer."""
    realtime_server.troubles.append(trouble)
    failure, answer = made(NAME, realtime_server, parallel=1).reply([ReplyAsk((user("a"),))] * 2)
    assert isinstance(failure, Failure)
    assert failure.reason == reason
    assert answer.text


@pytest.mark.parametrize(("status", "settings"), [(None, {"model": "gpt-none"}), (401, {}), (403, {})])
def test_what_no_session_will_mend_ends_the_run(realtime_server, made, status, settings):
    """Otherwise every item is asked in vain."""
    realtime_server.troubles.extend([Trouble(status)] if status else [])
    with pytest.raises(SetupError, match=VARIABLE):
        made(NAME, realtime_server, **settings).reply([ReplyAsk((user("a"),))])


def test_bad_clips_fail_alone(realtime_server, made, tone, tmp_path):
    """One damaged file must not cost its neighbours their answers."""
    gone = AudioClip.from_file(tmp_path / "gone.wav")
    asks = [ReplyAsk((user(clip),)) for clip in (gone, tone(0.5), tone(30))]
    missing, good, large = made(NAME, realtime_server, max_megabytes=1.0).reply(asks)
    assert (missing.reason, large.reason) == ("missing_file", "too_large")
    assert good.text.startswith("- 0.50s")
