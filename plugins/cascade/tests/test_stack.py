"""The embedded stack: Whisper tiny, SmolLM2 135M, Piper joe."""

from dataclasses import replace

import jiwer
import numpy as np
import pytest

from speechzoo import AudioClip, Failure, ReplyAsk, ScoreAsk, assistant, lm, raw, user

pytestmark = pytest.mark.stack

SENTENCES = [
    "Anna hung the washing in the garden and sat down to read.",
    "Soon dark clouds covered the sky and it began to rain.",
]
# Whole passages, as tasks have them: Whisper tiny loses the second sentence above when it stands alone.
PASSAGES = [
    "Anna hung the washing in the garden and sat down to read. Soon dark clouds covered the sky. "
    "Big drops of rain began to fall on her head.",
    "Peter missed the last bus to the village. It was cold and his phone was empty. "
    "He saw the lights of a small hotel across the road.",
    "The baker opened his shop before sunrise. A long line of people was waiting outside. "
    "By noon there was no bread left on the shelves.",
]
STORY = ScoreAsk(
    raw("Anna hung the washing in the garden. Big drops of rain began to fall on her head."),
    (" She grabbed the shirts and ran into the house.", " She baked a cake for the moon yesterday."),
)
CAPITAL = ReplyAsk((user("What is the capital of France?"),), max_tokens=24)


def totals(answer):
    return [score.log_likelihood for score in answer.scores]


def words(text):
    return "".join(c for c in text.lower() if c.isalpha() or c == " ")


def test_the_conversion_kept_the_special_tokens(text_llm):
    """A wrong end token makes every reply run to its limit."""
    tokenizer = text_llm._lm.tokenizer
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id) == (1, 2)
    assert "<|im_start|>" in tokenizer.chat_template
    assert text_llm._lm.end_ids == [2]


def test_knows_the_capital_of_france(text_llm):
    """Wrong weights, tokenizer or chat template show here first."""
    [answer] = text_llm.reply([CAPITAL])
    assert "Paris" in answer.text
    assert not answer.truncated


def test_scores_equal_the_plain_loop(text_llm):
    """Published scores must be the model's, not the batching's."""
    [answer] = text_llm.score([STORY])
    plain = lm.score_plainly(text_llm._lm, STORY)
    assert totals(answer) == pytest.approx(totals(plain), abs=1e-4)
    assert np.argmax(totals(answer)) == np.argmax(totals(plain))


def test_cascade_scores_text_as_its_llm_does(cascade, text_llm):
    """The gap between speech and text is measured against this number."""
    assert cascade.score([STORY])[0].scores == text_llm.score([STORY])[0].scores


def test_history_changes_the_reply(cascade):
    """Multi-turn scores would be single-turn scores otherwise."""
    question = user("What is my name?")
    history = (user("My name is Oswald."), assistant("Nice to meet you, Oswald!"))
    with_history, without = cascade.reply(
        [ReplyAsk((*history, question), max_tokens=16), ReplyAsk((question,), max_tokens=16)]
    )
    assert "Oswald" in with_history.text
    assert "Oswald" not in without.text


def test_spoken_sentences_are_understood(voice, transcriber):
    """With a broken voice or broken ears every speech condition measures noise."""
    heard = transcriber.transcribe(voice.speak(PASSAGES))
    assert jiwer.wer([words(p) for p in PASSAGES], [words(h) for h in heard]) < 0.15


def test_speech_of_another_language_is_not_written_down_as_english(voice, transcriber):
    """Otherwise a cascade's score on Chinese would be that of English nonsense."""
    [clip] = voice.speak([SENTENCES[0]])
    english, chinese, again = transcriber.transcribe(
        [replace(clip, language="en"), replace(clip, language="zh"), clip]
    )
    assert english == again
    assert isinstance(chinese, Failure)
    assert chinese.reason == "other_language"


def test_equal_text_gives_equal_speech(voice):
    """Spoken prompts and replies could not be reproduced or cached otherwise."""
    first, other, again = voice.speak([SENTENCES[0], SENTENCES[1], SENTENCES[0]])
    assert first.digest == again.digest != other.digest
    assert np.abs(first.samples()).max() <= 1.0


@pytest.mark.parametrize("text", ["", "   ", "...", "!?"])
def test_nothing_to_say(voice, text):
    """An empty clip would be graded as a spoken answer."""
    [failure] = voice.speak([text])
    assert failure.reason == "nothing_to_say"


def test_speech_in_and_out(cascade, voice):
    """The whole way: spoken question, spoken answer, and what was understood between."""
    [question] = voice.speak(["What is the capital of France?"])
    bad = AudioClip.from_bytes(b"<html>not found</html>")
    asks = [ReplyAsk((user(clip),), speech=True, max_tokens=24) for clip in (question, bad)]
    answer, failure = cascade.reply(asks)
    assert "Paris" in answer.text
    assert "capital of france" in words(answer.heard)
    assert answer.clip.seconds > 0.5
    assert set(answer.timings) == {"transcribe", "think", "speak"}
    assert isinstance(failure, Failure)
    assert failure.reason == "not_audio"


def test_scores_under_audio_condition_on_the_transcript(cascade, voice):
    """Scores under speech would be scores without context if the clip were dropped."""
    [clip] = voice.speak([STORY.context[0].text])
    heard, unheard = cascade.score(
        [ScoreAsk(raw("Listen: ", clip), STORY.continuations), ScoreAsk(raw("Listen: "), STORY.continuations)]
    )
    spelled = cascade.score([ScoreAsk(raw("Listen: ", heard.heard), STORY.continuations)])[0]
    assert totals(heard) == pytest.approx(totals(spelled), abs=1e-4)
    assert abs(totals(heard)[0] - totals(unheard)[0]) > 0.5


def test_no_state_between_calls(cascade, voice):
    """A result must not depend on what the same process was asked before."""
    one, other = voice.speak(SENTENCES)
    first, between, again = (
        cascade.score([ScoreAsk(raw(clip), STORY.continuations)])[0] for clip in (one, other, one)
    )
    assert (first.scores, first.heard) == (again.scores, again.heard)
    assert between.heard != first.heard
