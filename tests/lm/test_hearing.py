"""Speech into a language model: the tiny speech LM, and Qwen2-Audio against its own forward pass."""

import threading
import time

import numpy as np
import pytest
import torch

from speechzoo import AudioClip, Failure, ReplyAsk, ScoreAnswer, ScoreAsk, assistant, lm, raw, user
from speechzoo.errors import ItemError
from tests.lm.conftest import TinySpeechLM

CLOSE = 1e-4


def values(answer: ScoreAnswer | Failure) -> list[float]:
    assert isinstance(answer, ScoreAnswer), answer
    return [score.log_likelihood for score in answer.scores]


@pytest.fixture
def counted(tiny, monkeypatch):
    monkeypatch.setattr(tiny, "encoded", [])
    return tiny.encoded


@pytest.mark.parametrize("budget", [1, 60, 10_000])
def test_scores_under_audio_equal_the_plain_loop(tiny, clip, budget):
    """A score must not depend on which clips happened to be heard side by side."""
    asks = [
        ScoreAsk(raw("the cat", clip(200 + 30 * i, 0.3 + 0.2 * i)), (" sat on", " a"), chat=bool(i % 2))
        for i in range(5)
    ] + [ScoreAsk(raw(clip(300), " and ", clip(900), " sun"), (" moon",)), ScoreAsk(raw("a"), (" sun",))]
    for ask, answer in zip(asks, lm.score(tiny, asks, budget), strict=True):
        assert values(answer) == pytest.approx(values(lm.score_plainly(tiny, ask)), abs=CLOSE)


def test_replies_under_audio_do_not_depend_on_the_batch(tiny, clip):
    """As above, of replies; and a reply to a clip must be one to that clip."""
    asks = [ReplyAsk((user("the ", clip(pitch), " cat"),), max_tokens=8) for pitch in (300, 500, 900)]
    single = [lm.reply(tiny, [ask], 1)[0] for ask in asks]
    assert lm.reply(tiny, asks, 10_000) == single
    assert len({answer.text for answer in single}) == 3


def test_other_audio_other_score(tiny, clip):
    """A speech LLM whose audio path is cut would look as if it understood nothing, or everything."""
    one, other = lm.score(tiny, [ScoreAsk(raw(clip(p)), (" sun",)) for p in (300, 900)], 1000)
    assert abs(values(one)[0] - values(other)[0]) > 0.1


def test_every_distinct_clip_is_encoded_once_a_call(tiny, clip, counted):
    """Four questions about one recording, and the same recording again, would cost eight encodings."""
    lm.score(tiny, [ScoreAsk(raw(f"{i}", clip(440)), (" a",)) for i in range(4)], 1000)
    assert counted == [1]
    lm.reply(tiny, [ReplyAsk((user(clip(440), clip(440)),), max_tokens=1) for _ in range(2)], 1000)
    assert counted == [1, 1]


def test_clips_are_encoded_in_batches(tiny, clip, counted):
    """An audio encoder fed one clip at a time leaves most of a GPU idle; with all at once it overflows."""
    lm.score(tiny, [ScoreAsk(raw(clip(200 + 50 * i)), (" a",)) for i in range(5)], 1000)
    assert counted == [2, 2, 1]


def test_the_next_clips_are_decoded_while_these_are_encoded(tiny, clip, monkeypatch):
    """A GPU would wait for the decoder, which takes longer for a clip than all the rest does."""
    decoded, overlapped = [], []
    fifth = threading.Event()
    features = tiny.features

    def noted(wave):
        decoded.append(len(wave))
        if len(decoded) == 5:
            fifth.set()
        return features(wave)

    def encode(waves):
        overlapped.append(fifth.wait(timeout=10))
        return [torch.ones(1, 32) for _ in waves]

    monkeypatch.setattr(tiny, "features", noted)
    monkeypatch.setattr(tiny, "embed_audio", encode)
    # While the first two are encoded, the third waits, and the fourth and fifth are decoded.
    lm.hear(tiny, [raw(clip(200 + 50 * i)) for i in range(5)])
    assert overlapped == [True, True, True]


def test_few_clips_are_kept_ahead(tiny, clip, monkeypatch):
    """Spectrograms of a thousand clips would fill the memory before the first is encoded."""
    decoded, waiting = [], []
    monkeypatch.setattr(tiny, "features", lambda wave: decoded.append(1) or wave)

    def encode(waves):
        time.sleep(0.02)
        waiting.append(len(decoded))
        return [torch.ones(1, 32) for _ in waves]

    monkeypatch.setattr(tiny, "embed_audio", encode)
    lm.hear(tiny, [raw(clip(200 + 20 * i)) for i in range(20)])
    encoded = [tiny.clips_at_once * (i + 1) for i in range(10)]
    assert max(there - done for there, done in zip(waiting, encoded, strict=True)) <= tiny.clips_at_once + 1


def test_features_may_refuse_a_clip(tiny, clip, monkeypatch):
    """A clip the feature extractor cannot take would otherwise end the threads, and the run."""
    features = tiny.features

    def picky(wave):
        if len(wave) > 8000:
            raise ItemError("odd_clip", "not this one")
        return features(wave)

    monkeypatch.setattr(tiny, "features", picky)
    good, bad = lm.score(tiny, [ScoreAsk(raw(clip(440, s)), (" a",)) for s in (0.5, 1.0)], 100)
    assert len(values(good)) == 1
    assert bad == Failure("odd_clip", "not this one")


@pytest.mark.parametrize(("parts", "count"), [((), 0), ((0.5,), 4), ((0.5, 1.1), 12)])
def test_audio_tokens_are_counted(tiny, clip, parts, count):
    """Models are compared by what they make of speech; how much of their context it takes belongs to that."""
    ask = ScoreAsk(raw("the cat", *(clip(440, seconds) for seconds in parts)), (" a", " b"))
    [answer] = lm.score(tiny, [ask], 100)
    assert [score.audio_tokens for score in answer.scores] == [count, count]
    assert lm.score_plainly(tiny, ask).scores[0].audio_tokens == count


def test_a_bad_clip_fails_alone(tiny, clip, tmp_path, counted):
    """One damaged recording must not cost the others of its batch their scores, nor be skipped."""
    bad = {
        "missing_file": AudioClip.from_file(tmp_path / "gone.wav"),
        "not_audio": AudioClip.from_bytes(b"<html>"),
        "silent": AudioClip.from_samples(np.zeros(8000, np.float32), 16_000),
        "too_long": clip(440, seconds=5.1),
        "too_short": clip(440, seconds=0.11),
    }
    [alone] = lm.score(tiny, [ScoreAsk(raw(clip(440)), (" a",))], 1000)
    clips = [sound for one in bad.values() for sound in (one, clip(440))]
    asks = [ScoreAsk(raw("", sound), (" a",)) for sound in clips]
    answers = lm.score(tiny, asks, 1000)
    assert [answer.reason for answer in answers[::2]] == list(bad)
    for answer in answers[1::2]:
        assert values(answer) == pytest.approx(values(alone), abs=CLOSE)
    replies = lm.reply(tiny, [ReplyAsk((user(sound),), max_tokens=2) for sound in clips], 1000)
    assert [reply.reason for reply in replies[::2]] == list(bad)
    assert {reply.text for reply in replies[1::2]} == {replies[1].text}


def test_the_decoder_is_told_the_rate(tiny, monkeypatch, clip):
    """Samples at another rate than the encoder was trained on sound like a voice too fast or slow."""
    lengths = []
    features = tiny.features
    monkeypatch.setattr(type(tiny), "rate", 24_000)
    monkeypatch.setattr(tiny, "features", lambda wave: lengths.append(len(wave)) or features(wave))
    lm.hear(tiny, [raw(clip(440, seconds=0.5))])
    assert lengths == [12_000]


def test_chat_template_is_cut_open_where_the_clips_are(tiny, clip):
    """A clip in the wrong place of the template would be heard as part of another turn."""
    dialogue = (user("the ", clip(440), " cat"),)
    heard = lm.hear(tiny, [dialogue])
    before, after = tiny.embed_text("<s>user: the "), tiny.embed_text(" cat</s><s>assistant:")
    expected = torch.cat([before, heard[clip(440).digest], after])
    assert torch.equal(tiny.embed_context(dialogue, True, heard), expected)


class Blocks(TinySpeechLM):
    """Its chat template takes blocks of text and audio."""

    audio_text = "<a>|</a>"


BLOCKS = (
    "{% for m in messages %}<s>{{ m['role'] }}: {% for b in m['content'] %}"
    "{{ '<a>|</a>' if b['type'] == 'audio' else b['text'] }}{% endfor %}</s>{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant:{% endif %}"
)


def test_a_template_of_blocks_is_cut_open_as_well(tiny, clip, monkeypatch):
    """Otherwise a speech LLM whose template wants blocks is given its clips nowhere, or in the wrong turn."""
    blocks = Blocks(tiny.model, tiny.tokenizer, "blocks")
    dialogue = (user("the ", clip(440), " cat"), assistant("a"), user(clip(300)))
    texts_only = tiny.chat_parts(dialogue)
    monkeypatch.setattr(tiny.tokenizer, "chat_template", BLOCKS)
    assert blocks.chat_parts(dialogue) == texts_only
    with pytest.raises(ItemError, match="does not keep every clip once"):
        blocks.chat_parts((user(clip(440), "<a>|</a>"),))


def test_text_models_refuse_audio(tiny, clip):
    """A text LLM that skipped a clip would be scored as if it had heard it."""
    text_only = lm.CausalLM(tiny.model, tiny.tokenizer, "text only")
    [failure] = lm.score(text_only, [ScoreAsk(raw(clip(440)), (" a",))], 100)
    assert failure.reason == "audio_not_supported"
