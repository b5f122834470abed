"""A speech LLM of transformers as an adapter would drive it, against that model's own forward pass."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from transformers import (
    BatchFeature,
    Qwen2AudioConfig,
    Qwen2AudioEncoderConfig,
    Qwen2AudioForConditionalGeneration,
    Qwen2Config,
    WhisperFeatureExtractor,
)

from speechzoo import ReplyAsk, ScoreAsk, Setup, lm, raw, user
from speechzoo.audio import Samples

AUDIO = 299
"""The id that stands for audio; no text of the tests has it."""


class Qwen2AudioLM(lm.CausalLM):
    """All that the adapter adds."""

    model_class = Qwen2AudioForConditionalGeneration
    max_clip_seconds = 2.0
    extractor = WhisperFeatureExtractor(feature_size=16, chunk_length=2)

    def features(self, wave: Samples) -> BatchFeature:
        return self.extractor(wave, sampling_rate=self.rate, return_attention_mask=True, return_tensors="pt")

    def embed_audio(self, features: Sequence[BatchFeature]) -> list[torch.Tensor]:
        mel = torch.cat([one.input_features for one in features])
        mask = torch.cat([one.attention_mask for one in features])
        tower = self.model.model.audio_tower
        frames, tokens = tower._get_feat_extract_output_lengths(mask.sum(-1))
        heard = torch.arange(mel.shape[-1] // 2) < frames[:, None]
        states = tower(mel, attention_mask=heard[:, None, None]).last_hidden_state
        embedded = self.model.model.multi_modal_projector(states)
        return [row[:count] for row, count in zip(embedded, tokens, strict=True)]


@pytest.fixture(scope="module")
def qwen(tiny, redraw, tmp_path_factory):
    text = Qwen2Config(
        vocab_size=300,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=512,
    )
    audio = Qwen2AudioEncoderConfig(
        num_mel_bins=16,
        d_model=32,
        encoder_layers=1,
        encoder_attention_heads=2,
        encoder_ffn_dim=64,
        max_source_positions=100,
    )
    config = Qwen2AudioConfig(audio_config=audio, text_config=text, audio_token_index=AUDIO)
    model = Qwen2AudioForConditionalGeneration(config)
    redraw(model)
    folder = tmp_path_factory.mktemp("qwen2-audio")
    model.save_pretrained(folder)
    tiny.tokenizer.save_pretrained(folder)
    return Qwen2AudioLM.load(Setup("tiny qwen", folder))


def own_score(qwen, before, clip, after, continuation):
    """By ids and audio features, as the model's authors do."""
    made = qwen.features(clip.samples(16_000))
    _, tokens = qwen.model.model.audio_tower._get_feat_extract_output_lengths(made.attention_mask.sum(-1))
    scored = qwen.ids(continuation)
    ids = torch.tensor([[*qwen.ids(before), *[AUDIO] * int(tokens), *qwen.ids(after), *scored]])
    with torch.inference_mode():
        output = qwen.model(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            input_features=made.input_features,
            feature_attention_mask=made.attention_mask,
        )
    likely = torch.log_softmax(output.logits[0, -len(scored) - 1 : -1].float(), -1)
    return sum(float(likely[i, token]) for i, token in enumerate(scored))


def test_scores_are_the_models_own(qwen, clip):
    """A score of the batched encoder and shared cache must be the published model's, clip by clip."""
    clips = [clip(pitch, seconds) for pitch, seconds in ((300, 0.4), (700, 1.1), (900, 1.9))]
    asks = [ScoreAsk(raw("hear: ", sound, " the cat"), (" sat on", " a")) for sound in clips]
    for sound, answer in zip(clips, lm.score(qwen, asks, 1000), strict=True):
        ours = [score.log_likelihood for score in answer.scores]
        own = [own_score(qwen, "hear: ", sound, " the cat", end) for end in (" sat on", " a")]
        assert ours == pytest.approx(own, abs=1e-4)
    firsts = [answer.scores[0].log_likelihood for answer in lm.score(qwen, asks, 1000)]
    assert np.ptp(firsts) > 0.05


def test_replies_do_not_depend_on_the_batch(qwen, clip):
    """Batch size 8 instead of 1 is known to have cost a published speech LLM most of its accuracy."""
    asks = [ReplyAsk((user(clip(300 * i, 0.4 * i)),), max_tokens=6) for i in (1, 2, 3)]
    assert lm.reply(qwen, asks, 10_000) == [lm.reply(qwen, [ask], 1)[0] for ask in asks]
