"""Against outputs of the authors' code (EchoX 16d1d23, torch 2.3.0, float32 on a CPU), part by part.

Recorded on a random checkpoint with Llama 3's ids. Everything after the parts of a prompt with one clip and
of one without is here; `test_golden` has the whole.
"""

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from speechzoo_echox.audio_adapter import AudioAdapter, first_of_runs
from speechzoo_echox.decoding import decode, likeliest, nucleus
from speechzoo_echox.echo_decoder import EchoDecoder
from speechzoo_echox.language_model import EchoXLM
from speechzoo_echox.prompt import prompt
from speechzoo_echox.segments import Segmenter, segments
from speechzoo_echox.tensors import fill
from speechzoo_echox.units import units_in
from tokenizers import Tokenizer, models
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from speechzoo import AudioClip, Message, ScoreAsk, lm

DATA = Path(__file__).parent / "data"
RECORDED = json.loads((DATA / "recorded.json").read_text(encoding="utf-8"))
CASES = ("audio_2s1", "text_only")
# Its log-probabilities came from a float32 softmax over 128,257 logits, which is off by as much: they
# differ so from the recorded logits less their recorded log-sum-exp, too.
SOFTMAX_ERROR = 4e-4


def close(ours, recorded, tolerance) -> None:
    assert ours.shape == recorded.shape
    assert float((ours - recorded).abs().max()) <= tolerance


@pytest.fixture(scope="module")
def tensors():
    return load_file(DATA / "recorded.safetensors")


@pytest.fixture(scope="module")
def weights(tensors):
    """Tables have only those of their rows that are not zero."""
    packed = {k.removeprefix("weights/"): v for k, v in tensors.items() if k.startswith("weights/")}
    whole = {name: tensor for name, tensor in packed.items() if ":" not in name}
    for name in (key.removeprefix("rows:") for key in packed if key.startswith("rows:")):
        rows = packed[f"rows:{name}"]
        whole[name] = torch.zeros(int(packed[f"full_rows:{name}"]), rows.shape[1])
        whole[name][packed[f"row_ids:{name}"].long()] = rows
    return whole


def part(weights, *prefixes, strip=""):
    return {name.removeprefix(strip): w for name, w in weights.items() if name.startswith(prefixes)}


@pytest.fixture(scope="module")
def adapter(weights):
    adapter = AudioAdapter(16, 16, 2, 128_257)
    names = ("mm_projector1", "asr_transformer_encoder", "out_norm", "audio_feature_head", "lbm")
    fill(adapter, part(weights, *(f"model.{name}." for name in names), strip="model."), "the record")
    return adapter


@pytest.fixture(scope="module")
def language_model(weights):
    names = RECORDED["special_ids"]
    vocabulary = {
        "<|begin_of_text|>": names["bos"],
        "<|start_header_id|>": names["start_header"],
        "<|end_header_id|>": names["end_header"],
        "<|eot_id|>": names["eot"],
        "<audio_patch>": names["audio_patch"],
        "speaker": names["speaker"][-1],
        "\n": names["nl_tokens"][-1],
        ".": 13,
    }
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(vocabulary, unk_token=".")),
        eos_token="<|eot_id|>",
        pad_token="<|eot_id|>",
    )
    config = RECORDED["config"]
    kept = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size")
    kept += ("num_key_value_heads", "rms_norm_eps", "rope_theta", "rope_scaling", "max_position_embeddings")
    llama = LlamaForCausalLM(LlamaConfig(**{key: config[key] for key in kept}))
    keys = ("model.embed_tokens.", "model.layers.", "model.norm.", "lm_head.")
    fill(llama, part(weights, *keys), "the record")
    return EchoXLM(llama, tokenizer, "recorded", ears=None)


@pytest.fixture(scope="module")
def echo(weights, language_model):
    told = RECORDED["t2u_dims"]
    kept = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "head_dim")
    kept += ("num_key_value_heads", "rms_norm_eps", "rope_theta", "rope_scaling")
    config = LlamaConfig(
        **{key: told[key] for key in kept}, vocab_size=1, bos_token_id=None, eos_token_id=None
    )
    decoder = EchoDecoder(config, 16, 36, 128_257, 1000, language_model.tokens)
    fill(decoder, part(weights, "unit_translator.", strip="unit_translator."), "the record")
    return decoder


def dialogue(case, clip) -> tuple[Message, ...]:
    turns = RECORDED["prompts"][case]["turns"]
    return tuple(
        Message(t["role"], tuple(p for p in ((clip if t["clip"] else ""), t["text"]) if p)) for t in turns
    )


def prompt_embeddings(language_model, tensors, case):
    clip = AudioClip.from_samples(np.zeros(1600, np.float32), 16_000)
    given = prompt(dialogue(case, clip), language_model.tokens, lambda text: RECORDED["texts"][text])
    return language_model.embed_prompt(given, {clip.digest: tensors["audio_2s1.lbm_out"]})


@pytest.mark.parametrize("case", list(RECORDED["prompts"]))
def test_prompts_are_the_recorded_ids(language_model, case):
    """Otherwise the model reads a format it was not trained on, and answers worse than it can."""
    clip = AudioClip.from_samples(np.zeros(1600, np.float32), 16_000)
    made = prompt(dialogue(case, clip), language_model.tokens, lambda text: RECORDED["texts"][text])
    ids = [language_model.tokens.audio if isinstance(item, AudioClip) else item for item in made]
    assert ids == RECORDED["prompts"][case]["input_ids"]


@torch.inference_mode()
def test_the_adapter_hears_as_recorded(adapter, tensors):
    """Otherwise other frames are kept, or other vectors stand for them in the prompt."""
    frames = adapter.adapted(tensors["audio_2s1.tower_out"])
    close(frames, tensors["audio_2s1.adapter_out"], 2e-5)
    labels = tensors["audio_2s1.ctc_argmax"].long()
    assert torch.equal(adapter.labels(frames), labels[: len(frames)])
    assert torch.equal(first_of_runs(labels), tensors["audio_2s1.shrink_mask"])
    close(adapter.lbm(tensors["audio_2s1.kept_frames"]), tensors["audio_2s1.lbm_out"], 2e-5)


@torch.inference_mode()
@pytest.mark.parametrize("case", CASES)
def test_the_prompt_is_read_as_recorded(language_model, tensors, case):
    """Ends of turns are masked beside a clip and seen without one: otherwise every logit moves."""
    given = prompt_embeddings(language_model, tensors, case)
    seen = ~given.isinf().all(-1)
    expected = tensors.get(f"{case}.expanded_attention_mask", torch.ones(len(given), dtype=torch.bool))
    assert torch.equal(seen, expected)
    states, _ = language_model.states(given[None], None, torch.arange(len(given))[None], None)
    last = states[0, -8:]
    close(last[seen[-8:]], tensors[f"{case}.last_hidden"][seen[-8:]], 1e-4)
    logits = language_model.head(last)[seen[-8:]]
    used = tensors["lm_head_row_ids"]
    close(logits[:, used], tensors[f"{case}.logits_used_rows"][seen[-8:]], 1e-4)
    close(logits.logsumexp(-1), tensors[f"{case}.logits_logsumexp"][seen[-8:]], 1e-4)


@torch.inference_mode()
@pytest.mark.parametrize("case", CASES)
def test_greedy_tokens_and_their_states_are_as_recorded(language_model, tensors, case):
    """Speech is made from these states: those of the wrong position or before the norm give noise."""
    given = prompt_embeddings(language_model, tensors, case)
    steps = list(islice(decode(language_model, [given], likeliest), 12))
    ids, states = [int(token) for token, _ in steps], torch.cat([state for _, state in steps])
    assert ids == RECORDED["greedy_ids"][case]
    close(states, tensors[f"{case}.step_hidden"], 1e-4)
    close(language_model.period_scores(states), tensors[f"{case}.period_cosine"], 1e-4)
    logits = language_model.head(states)
    found = logits[range(12), ids] - logits.logsumexp(-1)
    close(found, tensors[f"{case}.greedy_logprobs"], SOFTMAX_ERROR)
    column = tensors["lm_head_row_ids"].tolist().index(ids[0])
    exact = tensors[f"{case}.logits_used_rows"][-1, column] - tensors[f"{case}.logits_logsumexp"][-1]
    close(found[0], exact, 1e-4)


@pytest.mark.parametrize("case", CASES)
def test_continuations_are_scored_as_recorded(language_model, tensors, case, monkeypatch):
    """Otherwise likelihoods of spoken and written contexts cannot be compared with anybody's."""
    given = prompt_embeddings(language_model, tensors, case)
    monkeypatch.setattr(language_model, "embed_context", lambda *_: given)
    ids = {str(n): RECORDED["continuation_ids"][:n] for n in (1, 6, 12)}
    monkeypatch.setattr(language_model, "ids", ids.__getitem__)
    [answer] = lm.score(language_model, [ScoreAsk((), tuple(ids), chat=True)], 4096)
    recorded = tensors[f"{case}.continuation_logprobs"]
    for tokens, score in zip((1, 6, 12), answer.scores, strict=True):
        assert score.tokens == tokens
        assert abs(score.log_likelihood - float(recorded[:tokens].sum())) < tokens * SOFTMAX_ERROR
    column = tensors["lm_head_row_ids"].tolist().index(RECORDED["continuation_ids"][0])
    exact = tensors[f"{case}.logits_used_rows"][-1, column] - tensors[f"{case}.logits_logsumexp"][-1]
    assert abs(answer.scores[0].log_likelihood - float(exact)) < 1e-4


@torch.inference_mode()
@pytest.mark.parametrize("case", CASES)
def test_unit_tokens_are_as_recorded(echo, tensors, case):
    """Otherwise the reply's text is right and its speech says something else."""
    given = echo.prompt(tensors[f"{case}.t2u.segment_hidden"])
    close(given, tensors[f"{case}.t2u.adapted_embeds"], 1e-4)
    recorded = tensors[f"{case}.t2u.output_ids"]
    steps = list(islice(decode(echo, [given], likeliest), len(recorded)))
    assert [int(token) for token, _ in steps] == recorded.tolist()
    logits = echo.head(torch.cat([state for _, state in steps]))
    found = logits[range(len(recorded)), recorded] - logits.logsumexp(-1)
    close(found, tensors[f"{case}.t2u.logprobs"], SOFTMAX_ERROR)


@torch.inference_mode()
def test_the_nucleus_is_as_recorded(language_model, tensors):
    """Otherwise drawn replies come from another distribution than the authors'."""
    logits = language_model.head(tensors["text_only.step_hidden"])
    for case in RECORDED["nucleus"]:
        kept = nucleus(logits[case["step"]][None], case["temperature"], case["top_p"])[0]
        assert set(kept.nonzero()[:, 0].tolist()) == set(case["kept_ids"])
        found = kept[case["kept_ids"]]
        close(found, torch.tensor(case["kept_probs"]), 1e-4)


@pytest.mark.parametrize("name", list(RECORDED["segmentation"]))
def test_segments_are_as_recorded(name):
    """Otherwise speech is cut within words, or comes later than it could."""
    case = RECORDED["segmentation"][name]
    assert [(s.start, s.stop) for s in segments(case["series"])] == [
        (s["start"], s["end"]) for s in case["segments"]
    ]
    segmenter = Segmenter()
    found = [n for n, score in enumerate(case["series"], 1) if segmenter.push(score) is not None]
    known = [s["emitted_after_n_tokens"] for s in case["segments"]]
    assert found == known[: len(found)]
    assert len(known) - len(found) in (0, 1)


@pytest.mark.parametrize("case", RECORDED["unit_parse"], ids=lambda case: case["decoded"][:30])
def test_units_are_read_as_recorded(case):
    """Otherwise syllables are missing or wrong."""
    assert units_in(case["decoded"], 1000) == [int(unit) for unit in case["units"].split()]
