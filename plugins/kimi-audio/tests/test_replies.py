"""Replies, and when they were cut."""

import pytest
import torch
from speechzoo_kimi_audio.kimi_audio import KimiAudioModel
from speechzoo_kimi_audio.messages import messages

from speechzoo import Failure, ReplyAnswer, ReplyAsk, assistant, system, user


def test_dialogues_are_told_as_the_package_wants_them(noise):
    """Otherwise its assertions end the run: it knows two roles, and files where we have clips."""
    dialogue = (system("Be brief."), user("What is this?", noise(0.5)), assistant("A dog."), user("Sure?"))
    with messages(dialogue) as told:
        assert [(one["role"], one["message_type"]) for one in told] == [
            ("user", "text"),
            ("user", "text"),
            ("user", "audio"),
            ("assistant", "text"),
            ("user", "text"),
        ]
        assert told[2]["content"].endswith(".wav")


def test_a_text_that_was_cut_says_so(model, noise):
    """Otherwise half an answer is graded as a whole one."""
    dialogue = (user("Tell me: ", noise(1.5)),)
    [short, long] = model.reply([ReplyAsk(dialogue, max_tokens=1), ReplyAsk(dialogue, max_tokens=400)])
    assert short.truncated and not long.truncated
    assert long.text.startswith(short.text) and len(long.text) > len(short.text)


def test_a_spoken_reply(model, noise):
    """Otherwise speech has another rate than it says, or the text is lost beside it."""
    ask = ReplyAsk((user(noise(1.0)),), speech=True)
    [answer] = model.reply([ask])
    assert isinstance(answer, ReplyAnswer), answer
    assert answer.clip.seconds > 0.1 and answer.text
    assert not answer.truncated


def test_a_prompt_without_room_for_speech_fails_alone(model, noise):
    """Otherwise the package's two minutes, the prompt's included, end the run with an error of torch."""
    [answer] = model.reply([ReplyAsk((user("word " * 300),), speech=True)])
    assert isinstance(answer, Failure) and answer.reason == "too_long"


def test_without_the_detokenizer_it_writes(setup, code):
    """Otherwise scores and texts cost the memory of a vocoder."""
    model = KimiAudioModel(setup(), code, detokenizer=False)
    written, spoken = model.reply([ReplyAsk((user("Hello"),)), ReplyAsk((user("Hello"),), speech=True)])
    assert isinstance(written, ReplyAnswer)
    assert isinstance(spoken, Failure) and "detokenizer" in spoken.detail


def test_random_states_of_others_are_left_alone(model, noise):
    """Otherwise what another part of the run draws hangs on this model's replies."""
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    model.reply([ReplyAsk((user(noise(0.5)),), speech=True)])
    assert torch.rand(1) == pytest.approx(expected)
