"""What EchoX is given to read."""

import numpy as np
import pytest
from speechzoo_echox.prompt import SYSTEM, prompt

from speechzoo import AudioClip, ItemError, Message, assistant, system, user


@pytest.fixture(scope="module")
def told(echox):
    """The prompt as its tokens, a clip as itself."""
    tokenizer, tokens, ids = echox._lm.tokenizer, echox._lm.tokens, echox._lm.ids

    def told(*messages):
        made = prompt(messages, tokens, ids)
        return "".join("CLIP" if isinstance(i, AudioClip) else tokenizer.decode([i]) for i in made)

    return told


@pytest.fixture(scope="module")
def clip():
    return AudioClip.from_samples(np.zeros(1600, np.float32), 16_000)


B, S, E, T = "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"
OPENING = f"{B}{S}{B}system{E}{B}\n{B}{SYSTEM}{T}"
OPEN = f"{S}{B}assistant{E}{B}\n"


def test_every_kind_of_turn(told, clip):
    """One token more or less and the model is out of the format it was trained in."""
    assert told(user("hi")) == f"{OPENING}{S}{B}user{E}{B}hi{T}{OPEN}"
    assert told(user(clip)) == f"{OPENING}{S}{B}user{E}{B}\nCLIP{B}{T}{OPEN}"
    assert told(user(clip, "say")) == f"{OPENING}{S}{B}user{E}{B}\nCLIP{B}say{T}{OPEN}"
    assert told(user("say", clip)) == told(user(clip, "say"))
    history = f"{S}{B}user{E}{B}hi{T}{S}{B}assistant{E}{B}\n{B}yes{T}"
    assert told(user("hi"), assistant("yes"), user(clip)) == (
        f"{OPENING}{history}{S}{B}user{E}{B}\nCLIP{B}{T}{OPEN}"
    )


def test_a_system_message_takes_the_place_of_the_usual_one(told):
    """A task's instructions would otherwise be lost, or stand twice."""
    assert told(system("Be brief."), user("hi")) == (
        f"{B}{S}{B}system{E}{B}\n{B}Be brief.{T}{S}{B}user{E}{B}hi{T}{OPEN}"
    )


def test_an_answer_begun_is_left_open(told):
    """Continuations are scored after it: an end of turn between them would make all unlikely."""
    assert told(user("hi"), assistant("")) == f"{OPENING}{S}{B}user{E}{B}hi{T}{OPEN}{B}"
    assert told(user("hi"), assistant("yes, ")) == f"{OPENING}{S}{B}user{E}{B}hi{T}{OPEN}{B}yes, "


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        (lambda clip: (user(clip, clip),), "unsupported_turn"),
        (lambda clip: (user("hi"), assistant(clip), user("and?")), "unsupported_turn"),
        (lambda clip: (system(clip), user("hi")), "unsupported_turn"),
        (lambda clip: (user("<audio_patch>"),), "audio_token_in_text"),
        (lambda clip: (user("long " * 250),), "too_long"),
    ],
)
def test_what_the_format_cannot_say_fails(told, clip, messages, reason):
    """The reference cuts or confuses such prompts without a word, and answers something else."""
    made: tuple[Message, ...] = messages(clip)
    with pytest.raises(ItemError) as error:
        told(*made)
    assert error.value.reason == reason
