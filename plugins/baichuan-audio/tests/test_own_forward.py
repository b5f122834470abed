"""Our scores against the checkpoint's own processor and forward pass, by strings written here.

Nothing of speechzoo or the adapter makes the reference: strings, files, labels and sums are of this file.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from speechzoo_baichuan_audio.baichuan_audio import BaichuanAudio
from transformers import AutoModelForCausalLM, AutoTokenizer

from speechzoo import ItemError, ScoreAsk, Setup, assistant, raw, system, user

ENDINGS = (" sat on the mat.", " a", "那只猫")
PREFIX = "下面是一段语音和文本交错的内容："


@pytest.fixture(scope="module")
def own(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=True)
    model = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True).eval()
    model.bind_processor(tokenizer, training=False, relative_path="/")
    return model, tokenizer


@pytest.fixture(scope="module")
def ours(setup):
    return BaichuanAudio(setup)


@pytest.fixture(scope="module")
def spoken(clips, tmp_path_factory) -> list[str]:
    """Each clip as the processor is told of it."""
    folder = tmp_path_factory.mktemp("clips")
    told = []
    for place, clip in enumerate(clips):
        path = folder / f"{place}.wav"
        soundfile.write(path, clip.samples(16_000), 16_000, subtype="FLOAT")
        told.append("<audio_start_baichuan>" + json.dumps({"path": str(path)}) + "<audio_end_baichuan>")
    return told


def own_scores(own, contexts: list[str], continuation: str) -> list[float]:
    """Log-likelihoods after each context: one batch, left-padded, all in one pass."""
    model, tokenizer = own
    made = model.processor([f"{c}<trainable_start>{continuation}<trainable_end>" for c in contexts])
    wanted = tokenizer.encode(continuation, add_special_tokens=False)
    assert all(row[-len(wanted) :] == wanted for row in made.input_ids.tolist())
    audio = {}
    if made.audios is not None:
        names = ("audios", "encoder_length", "bridge_length")
        audio = {name: getattr(made, name) for name in names}
    with torch.inference_mode():
        logits = model(
            input_ids=made.input_ids,
            attention_mask=made.attention_mask,
            position_ids=(made.attention_mask.cumsum(-1) - 1).clamp(min=0),
            **audio,
        ).logits
    likely = torch.log_softmax(logits[:, -len(wanted) - 1 : -1].float(), -1)
    ids = torch.tensor(wanted).expand(len(contexts), -1)
    return likely.gather(-1, ids[..., None]).sum(dim=(1, 2)).tolist()


def found(answers, place: int) -> list[float]:
    return [answer.scores[place].log_likelihood for answer in answers]


def test_text_contexts_in_a_batch(own, ours):
    """Otherwise the text arm is scored with other tokens, labels or positions than the authors'."""
    contexts = ["The cat", "Yesterday the old cat came in from the garden and", "一只猫"]
    answers = ours.score([ScoreAsk(raw(context), ENDINGS) for context in contexts])
    for place, ending in enumerate(ENDINGS):
        assert found(answers, place) == pytest.approx(own_scores(own, contexts, ending), abs=2e-4)


def test_spoken_contexts_one_by_one(own, ours, clips, spoken):
    """Otherwise what is measured is the adapter: a segment, tag or code too few or many."""
    answers = ours.score([ScoreAsk(raw(PREFIX, clip), ENDINGS) for clip in clips])
    for answer, told in zip(answers, spoken, strict=True):
        for place, ending in enumerate(ENDINGS):
            assert found([answer], place) == pytest.approx(own_scores(own, [PREFIX + told], ending), abs=2e-4)
    assert len({round(score, 2) for score in found(answers, 0)}) == 3


def test_equal_clips_in_a_batch(own, ours, clips, spoken):
    """Otherwise codes and placeholders are out of step where the authors ask several at once."""
    contexts = [spoken[1], "Listen, please: " + spoken[1], "你听：" + spoken[1]]
    answers = ours.score(
        [ScoreAsk(raw(text, clips[1]), ENDINGS) for text in ("", "Listen, please: ", "你听：")]
    )
    for place, ending in enumerate(ENDINGS):
        assert found(answers, place) == pytest.approx(own_scores(own, contexts, ending), abs=2e-4)


def test_a_dialogue_with_roles(own, ours, clips, spoken):
    """Otherwise Instruct is asked in a format it was not trained with."""
    dialogue = (system("你好。"), user("Listen: ", clips[1]), assistant("I did."), user("And?", clips[1]))
    told = f"<B_SYS>你好。<C_Q>Listen: {spoken[1]}<C_A>I did.<C_Q>And?{spoken[1]}<C_A>"
    answers = ours.score([ScoreAsk(dialogue, ENDINGS, chat=True)])
    for place, ending in enumerate(ENDINGS):
        assert found(answers, place) == pytest.approx(own_scores(own, [told], ending), abs=2e-4)


def test_neighbours_do_not_change_what_is_heard(ours, clips):
    """Otherwise a clip's codes, and so its score, depend on the batch: it hears the padding it gets there."""
    asks = [ScoreAsk(raw(clip), ENDINGS) for clip in clips]
    alone = [ours.score([ask])[0] for ask in asks]
    for one, other in zip(alone, ours.score(asks), strict=True):
        assert found([one], 0) == pytest.approx(found([other], 0), abs=2e-4)


def test_the_stand_in_hears_padding(own, clips, spoken):
    """Otherwise the test before this one could not fail: the published encoder has this quirk."""
    alone = own_scores(own, [spoken[0]], ENDINGS[0])[0]
    beside = own_scores(own, [spoken[0], spoken[1]], ENDINGS[0])[0]
    assert abs(alone - beside) > 1e-3


def test_half_precision_stays_with_the_plain_pass(folder, clips):
    """Otherwise the precision that the published weights are run in is tried by nobody."""
    half = BaichuanAudio(Setup("stand-in", folder, dtype="bfloat16", trust_remote_code=True))
    for context in (raw("The cat"), raw(PREFIX, clips[1])):
        ask = ScoreAsk(context, ENDINGS)
        [answer], plain = half.score([ask]), half.score_plainly(ask)
        for one, other in zip(answer.scores, plain.scores, strict=True):
            assert abs(one.log_likelihood - other.log_likelihood) < 0.1 * one.tokens


def test_a_clip_that_the_processor_refuses_is_an_outcome(ours):
    """Otherwise an assertion inside the checkpoint's code is all that is told of a clip."""
    with pytest.raises(ItemError, match="audio_not_understood"):
        ours._lm.processed([np.zeros(300, np.float32)])


def test_no_file_of_a_clip_is_left(ours, clips, tmp_path, monkeypatch):
    """Otherwise a run over a data set fills the disk with copies of it."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    answers = ours.score([ScoreAsk(raw(clips[1]), ENDINGS)])
    assert answers[0].scores[0].audio_tokens == 18
    assert list(Path(tmp_path).iterdir()) == []
