"""The adapter against a second implementation, on weights in the published layout.

It is plain: no class of transformers, no cache, no batch. Its steps are those that the authors'
``modeling_chatglm.py`` and ``modeling_whisper.py`` take.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from speechzoo_glm_4_voice.glm_4_voice import Glm4Voice
from speechzoo_glm_4_voice.language_model import GlmVoiceLM
from speechzoo_glm_4_voice.replies import taken_apart
from speechzoo_glm_4_voice.tiny import CONFIG, EAR_CONFIG, FEED, FIRST_CODE, GROUPS, HEAD, HEADS, LAYERS
from torch import Tensor
from torch.nn.functional import conv1d, gelu, layer_norm, linear, pad, silu

from speechzoo import ReplyAnswer, ReplyAsk, ScoreAsk, Setup, assistant, system, user


class PlainLLM:
    def __init__(self, folder: Path) -> None:
        self.weights = load_file(folder / "model.safetensors")

    def log_probabilities(self, ids: list[int]) -> Tensor:
        """[tokens, vocabulary]."""
        states = self.weights["transformer.embedding.word_embeddings.weight"][ids]
        for layer in range(LAYERS):
            states = states + self._attention(layer, self._normed(states, layer, "input_layernorm"))
            states = states + self._feed(layer, self._normed(states, layer, "post_attention_layernorm"))
        states = _rms(states, self.weights["transformer.encoder.final_layernorm.weight"])
        return (states @ self.weights["transformer.output_layer.weight"].T).log_softmax(-1)

    def log_likelihood(self, context: list[int], continuation: list[int]) -> float:
        found = self.log_probabilities([*context, *continuation])
        return sum(float(found[len(context) + place - 1, token]) for place, token in enumerate(continuation))

    def _of(self, layer: int, name: str) -> Tensor:
        return self.weights[f"transformer.encoder.layers.{layer}.{name}"]

    def _normed(self, states: Tensor, layer: int, name: str) -> Tensor:
        return _rms(states, self._of(layer, f"{name}.weight"))

    def _attention(self, layer: int, states: Tensor) -> Tensor:
        fused = "self_attention.query_key_value"
        mixed = linear(states, self._of(layer, f"{fused}.weight"), self._of(layer, f"{fused}.bias"))
        query, key, value = mixed.split([HEADS * HEAD, GROUPS * HEAD, GROUPS * HEAD], -1)
        count, heard = len(states), []
        for head in range(HEADS):
            group = head // (HEADS // GROUPS)
            mine = _rotated(query[:, head * HEAD : (head + 1) * HEAD])
            theirs = _rotated(key[:, group * HEAD : (group + 1) * HEAD])
            scores = (mine @ theirs.T / HEAD**0.5).masked_fill(
                torch.ones(count, count).triu(1).bool(), -torch.inf
            )
            heard.append(scores.softmax(-1) @ value[:, group * HEAD : (group + 1) * HEAD])
        return torch.cat(heard, -1) @ self._of(layer, "self_attention.dense.weight").T

    def _feed(self, layer: int, states: Tensor) -> Tensor:
        both = states @ self._of(layer, "mlp.dense_h_to_4h.weight").T
        return (silu(both[:, :FEED]) * both[:, FEED:]) @ self._of(layer, "mlp.dense_4h_to_h.weight").T


def _rms(states: Tensor, weight: Tensor) -> Tensor:
    return weight * states * (states.square().mean(-1, keepdim=True) + CONFIG["layernorm_epsilon"]).rsqrt()


def _rotated(vectors: Tensor) -> Tensor:
    """Neighbours of the first half as complex numbers, turned by position; the second half stays."""
    turning, staying = vectors[:, : HEAD // 2], vectors[:, HEAD // 2 :]
    speeds = (10_000.0 * CONFIG["rope_ratio"]) ** (-torch.arange(0, HEAD // 2, 2) / (HEAD // 2))
    angles = torch.arange(len(vectors))[:, None] * speeds
    turned = torch.view_as_complex(turning.reshape(len(vectors), -1, 2).contiguous()) * torch.exp(1j * angles)
    return torch.cat([torch.view_as_real(turned).flatten(1), staying], -1)


class PlainEars:
    def __init__(self, folder: Path, extractor) -> None:
        self.weights = load_file(folder / "speech-tokenizer" / "model.safetensors")
        self.extractor = extractor

    def codes(self, wave: np.ndarray) -> list[int]:
        size = 30 * 16_000
        return [code for at in range(0, len(wave), size) for code in self._segment(wave[at : at + size])]

    def _segment(self, wave: np.ndarray) -> list[int]:
        """A token for every 80 ms that has begun."""
        tokens = -(-len(wave) // 1280)
        padded = np.pad(wave, (0, tokens * 1280 - len(wave)))
        made = self.extractor(padded, sampling_rate=16_000, padding=False, return_tensors="pt")
        states = made.input_features
        for name, stride in (("conv1", 1), ("conv2", 2)):
            weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
            states = gelu(conv1d(pad(states, (2, 0)), weight, bias, stride=stride))
        states = states[0].T
        states = states + self.weights["embed_positions.weight"][: len(states)]
        # A frame is real where its first sample of two mel frames is.
        real = torch.arange(len(states)) * 320 < len(wave)
        for layer in range(EAR_CONFIG["quantize_position"]):
            states = self._layer(layer, states, real)
        pooled = states.reshape(tokens, 4, -1).mean(1)
        return torch.cdist(pooled, self.weights["codebook.weight"]).argmin(1).tolist()

    def _layer(self, layer: int, states: Tensor, real: Tensor) -> Tensor:
        def done(name: str, given: Tensor) -> Tensor:
            weight = self.weights[f"layers.{layer}.{name}.weight"]
            bias = self.weights.get(f"layers.{layer}.{name}.bias")
            if "norm" in name:
                return layer_norm(given, weight.shape, weight, bias)
            return linear(given, weight, bias)

        normed = done("self_attn_layer_norm", states)
        query, key, value = (done(f"self_attn.{one}_proj", normed) for one in "qkv")
        size = states.shape[1] // EAR_CONFIG["encoder_attention_heads"]
        block = EAR_CONFIG["quantize_causal_block_size"]
        heard = torch.zeros_like(states)
        for frame in range(len(states)):
            seen = min((frame // block + 1) * block, len(states))
            for at in range(0, states.shape[1], size):
                part = slice(at, at + size)
                scores = (key[:seen, part] @ query[frame, part] / size**0.5)[real[:seen]]
                heard[frame, part] = scores.softmax(0) @ value[:seen, part][real[:seen]]
        states = states + done("self_attn.out_proj", heard)
        return states + done("fc2", gelu(done("fc1", done("final_layer_norm", states))))


@pytest.fixture(scope="module")
def language_model(setup):
    return GlmVoiceLM.load(setup)


@pytest.fixture(scope="module")
def model(setup):
    return Glm4Voice(setup)


@pytest.fixture(scope="module")
def ears(folder, language_model):
    return PlainEars(folder, language_model.speech_tokenizer.extractor)


@pytest.mark.parametrize("seconds", [0.1, 0.16, 1.23, 2.0, pytest.param(30.0, marks=pytest.mark.slow), 31.3])
def test_the_codes_of_a_clip(language_model, ears, seconds, noise):
    """Otherwise the LLM hears other tokens than its authors' encoder makes, at block or segment ends too."""
    wave = noise(seconds).samples(16_000)
    codes = language_model.speech_tokenizer(language_model.features(wave))
    assert codes == ears.codes(wave)
    assert seconds < 1 or len(set(codes)) > 5


def test_scores_of_texts_and_clips_after_texts_and_clips(model, language_model, ears, folder, noise):
    """Otherwise names, the fused queries or rotary positions are read into transformers' GLM wrongly."""
    heard, said = noise(1.23), noise(0.7)
    language = PlainLLM(folder)

    def ids(part) -> list[int]:
        if isinstance(part, str):
            return language_model.ids(part)
        codes = [FIRST_CODE + code for code in ears.codes(part.samples(16_000))]
        return [*language_model.ids("<|begin_of_audio|>"), *codes, *language_model.ids("<|end_of_audio|>")]

    contexts = [("Once there was",), ("It said: ", heard), (heard, said)]
    asks = [ScoreAsk((user(*parts),), (" the end", " a beginning.", said)) for parts in contexts]
    for ask, parts, answer in zip(asks, contexts, model.score(asks), strict=True):
        context = [token for part in parts for token in ids(part)]
        expected = [language.log_likelihood(context, ids(part)) for part in ask.continuations]
        assert [one.log_likelihood for one in answer.scores] == pytest.approx(expected, abs=2e-4)


def test_a_chat_score_has_the_authors_prompt(model, language_model, folder):
    """Otherwise the model is asked in a format that it was not trained with."""
    prompt = (
        "[gMASK]<sop><|system|>\nUser will provide you with a text instruction. Do it step by step. First, "
        "think about the instruction and respond in a interleaved manner, with 13 text token followed by 26 "
        "audio tokens.\nBe brief.<|user|>\nWho sang?<|assistant|>streaming_transcription\n"
    )
    [answer] = model.score([ScoreAsk((system("Be brief."), user("Who sang?")), ("Ann",), chat=True)])
    expected = PlainLLM(folder).log_likelihood(language_model.ids(prompt), language_model.ids("Ann"))
    assert answer.scores[0].log_likelihood == pytest.approx(expected, abs=2e-4)


def test_codes_do_not_hang_on_the_llms_dtype(folder, language_model, noise):
    """Otherwise a run in bfloat16 hears something else than one in float32."""
    other = GlmVoiceLM.load(Setup("stand-in", folder, dtype="bfloat16"))
    features = language_model.features(noise(1.23).samples(16_000))
    assert other.model.dtype == torch.bfloat16
    assert other.speech_tokenizer(features) == language_model.speech_tokenizer(features)


def test_a_reply_is_the_text_of_the_likeliest_tokens(model, language_model, folder, noise):
    """Otherwise the adapter's own decoding says something else than the model."""
    language, reads = PlainLLM(folder), language_model
    ask = ReplyAsk((user("Tell me: ", noise(1.0)),), max_tokens=4)
    prompt = [
        token
        for part in reads.chat_parts(ask.dialogue)
        for token in (
            reads.ids(part) if isinstance(part, str) else reads.audio_ids([part.samples(16_000)])[0]
        )
    ]
    ids: list[int] = []
    while len(ids) < 4 + 26 + 1 and not set(ids) & set(reads.end_ids):
        ids.append(int(language.log_probabilities([*prompt, *ids])[-1].argmax()))
    expected = taken_apart(ids, reads, 4)
    [answer] = model.reply([ask])
    assert isinstance(answer, ReplyAnswer)
    assert answer.text == reads.tokenizer.decode(expected.text, skip_special_tokens=True).strip()
    assert answer.truncated == expected.text_cut


def test_a_spoken_question_has_the_authors_prompt_around_it(language_model, noise):
    """Otherwise speech is announced as text, or an earlier reply stands in the user's turn."""
    clip = noise(1.0)
    before, heard, after = language_model.chat_parts((user(clip), assistant("Ann."), user("Who?")))
    assert before.endswith("26 audio tokens. <|user|>\n") and "a speech instruction" in before
    assert heard is clip
    assert after == (
        "<|assistant|>streaming_transcription\nAnn.<|user|>\nWho?<|assistant|>streaming_transcription\n"
    )
