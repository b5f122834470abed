"""What a folder that is not whole, or not this model, says."""

import json

import pytest
from safetensors.torch import load_file, save_file
from speechzoo_glm_4_voice.language_model import GlmVoiceLM
from speechzoo_glm_4_voice.tiny import build

from speechzoo import Setup, SetupError


def changed(file, **settings) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | settings))


def without(file, name: str) -> None:
    save_file({one: tensor for one, tensor in load_file(file).items() if one != name}, file)


BROKEN = {
    "no config": (lambda f: (f / "config.json").unlink(), "no config.json"),
    "another model": (lambda f: changed(f / "config.json", rmsnorm=False), "rmsnorm is False"),
    "no tensor": (
        lambda f: without(f / "model.safetensors", "transformer.encoder.layers.1.mlp.dense_4h_to_h.weight"),
        r"not whole.*missing: model\.layers\.1\.mlp\.down_proj\.weight",
    ),
    "no vocabulary": (lambda f: (f / "tokenizer.model").unlink(), r"lacks tokenizer\.model"),
    "no audio tokens": (
        lambda f: changed(f / "tokenizer_config.json", added_tokens_decoder={}),
        "has no token",
    ),
    "no ears": (
        lambda f: (f / "speech-tokenizer" / "config.json").unlink(),
        "put its files into .*speech-tokenizer",
    ),
    "other ears": (
        lambda f: changed(f / "speech-tokenizer" / "config.json", encoder_causal_convolution=False),
        "encoder_causal_convolution is False",
    ),
    "no code book": (
        lambda f: without(f / "speech-tokenizer" / "model.safetensors", "codebook.weight"),
        r"such as codebook\.weight",
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_fault_is_named(copied, fault):
    """Otherwise random weights are scored, or the first item fails with an unreadable error."""
    spoil, told = BROKEN[fault]
    spoil(copied)
    with pytest.raises(SetupError, match=told):
        GlmVoiceLM.load(Setup("stand-in", copied))


def test_ears_of_a_whole_whisper_are_found(copied, setup, noise):
    """Otherwise the other layout of the same checkpoint, with names as in Whisper, cannot be used."""
    file = copied / "speech-tokenizer" / "model.safetensors"
    save_file({f"model.encoder.{name}": one for name, one in load_file(file).items()}, file)
    wave = noise(1.0).samples(16_000)
    whole, alone = (
        model.speech_tokenizer(model.features(wave))
        for model in map(GlmVoiceLM.load, (Setup("stand-in", copied), setup))
    )
    assert whole == alone and len(set(whole)) > 1


def test_the_stand_in_is_the_same_every_time(tmp_path, folder):
    """Otherwise a failure here cannot be made to happen again."""
    build(tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
