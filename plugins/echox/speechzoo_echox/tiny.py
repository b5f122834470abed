"""Random checkpoints in the published layout: a tiny one for tests of wiring, larger ones to be timed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor, nn
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
)

from speechzoo_echox.audio_adapter import AudioAdapter
from speechzoo_echox.checkpoint import ECHO_PREFIX
from speechzoo_echox.echo_decoder import EchoDecoder
from speechzoo_echox.prompt import SpecialTokens
from speechzoo_echox.vocoder import Vocoder

PLAIN_PIECES = tuple(str(25 * unit) for unit in range(40))
"""A unit a token."""

JOINED_PIECES = ("▁12_345", "_7", "▁999", "▁12_3", "45", "_1500", *(f"▁{u}_{u + 1}" for u in range(60, 94)))
"""Several units a token, or a part of one, or none below 1000: as published."""

_SPECIAL = ("begin_of_text", "end_of_text", "start_header_id", "end_header_id", "eom_id", "eot_id")
_WORDS = ("system", "user", "assistant", "speaker")
# What all sizes of the LLM have in common.
_LLAMA: dict[str, Any] = {
    "rms_norm_eps": 1e-5,
    "max_position_embeddings": 131_072,
    "rope_theta": 500_000.0,
    "rope_scaling": {
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
        "rope_type": "llama3",
    },
}
_VOCODER: dict[str, Any] = {
    "resblock": "1",
    "upsample_rates": [5, 4, 4, 2, 2],
    "upsample_kernel_sizes": [11, 8, 8, 4, 4],
    "resblock_kernel_sizes": [3, 7, 11],
    "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5], [1, 3, 5]],
    "num_embeddings": 1000,
    "code_hop_size": 320,
    "f0": False,
    "sampling_rate": 16_000,
}


@dataclass(frozen=True)
class Shape:
    """Sizes of a checkpoint's parts.

    Attributes:
        llama: of the LLM, as config.json has them.
        echo: of the echo decoder, as a Llama's config has them.
        whisper: of Whisper's encoder, as its config has them.
        vocoder: channels of the vocoder after its first layer.
        units: width of the vocoder's units and of its predictor of durations.
        fillers: tokens that no text has, to make the vocabulary as large as a published one.
        spread: standard deviation of the weights.
    """

    llama: dict[str, Any]
    echo: dict[str, Any]
    whisper: dict[str, Any]
    vocoder: int
    units: int
    fillers: int = 0
    spread: float = 0.3


TINY = Shape(
    llama={
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    },
    echo={
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 1,
        "num_key_value_heads": 1,
    },
    whisper={"d_model": 16, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 32},
    vocoder=32,
    units=16,
)
"""2 MB in all."""


def build(
    folder: Path,
    *,
    shape: Shape = TINY,
    tied: bool = False,
    pieces: Sequence[str] = JOINED_PIECES,
    seed: int = 0,
) -> None:
    """Writes a checkpoint with Whisper inside, drawn on torch's default device in its default dtype.

    Args:
        folder: made if it is not there.
        shape: of all parts.
        tied: as EchoX-3B, without ``lm_head`` and ``unit_model``; otherwise as EchoX-8B.
        pieces: what stands in the unit tokens.
        seed: of the weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    tokenizer = _tokenizer(pieces, shape.fillers)
    tokenizer.save_pretrained(folder)
    vocabulary = len(tokenizer) - len(pieces)
    config = {
        "model_type": "EchoX",
        "architectures": ["EchoXForCausalLM"],
        **_LLAMA,
        **shape.llama,
        "vocab_size": vocabulary,
        "tie_word_embeddings": tied,
        "bos_token_id": tokenizer.convert_tokens_to_ids("<|begin_of_text|>"),
        "eos_token_id": tokenizer.eos_token_id,
        "audio_tower": "whisper-large-v3",
        "adapter_size": shape.whisper["d_model"],
        "unit_output": "finetune_kd",
        "unit_vocab_size": len(pieces),
        **({} if tied else {"unit_model": "medium"}),
    }
    _write_json(folder / "config.json", config)
    ends = [tokenizer.convert_tokens_to_ids(f"<|{name}|>") for name in ("end_of_text", "eom_id", "eot_id")]
    _write_json(folder / "generation_config.json", {"do_sample": True, "eos_token_id": ends})
    _write_shards(folder, _weights(shape, tokenizer, vocabulary, len(pieces), tied))
    _write_vocoder(folder, shape)
    _write_whisper(folder / "whisper-large-v3", shape)


def _tokenizer(pieces: Sequence[str], fillers: int) -> PreTrainedTokenizerFast:
    """Bytes, fillers, special tokens, whole words, the audio's place; then units."""
    known = sorted(pre_tokenizers.ByteLevel.alphabet()) + [f"filler {number}" for number in range(fillers)]
    tokenizer = Tokenizer(models.BPE({text: i for i, text in enumerate(known)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(f"<|{name}|>", special=True) for name in _SPECIAL])
    tokenizer.add_tokens([AddedToken(word, normalized=False) for word in _WORDS])
    tokenizer.add_special_tokens([AddedToken("<audio_patch>", special=True)])
    tokenizer.add_tokens([AddedToken(f"<|unit_{piece}|>", normalized=False) for piece in pieces])
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        bos_token="<|begin_of_text|>",
        eos_token="<|eot_id|>",
        pad_token="<|eot_id|>",
    )


def _weights(
    shape: Shape, tokenizer: PreTrainedTokenizerFast, vocabulary: int, units: int, tied: bool
) -> dict[str, Tensor]:
    nothing: dict[str, Any] = {"bos_token_id": None, "eos_token_id": None}
    llama = LlamaConfig(**{**_LLAMA, **shape.llama, **nothing, "vocab_size": vocabulary})
    small = LlamaConfig(**{**_LLAMA, **shape.echo, **nothing, "vocab_size": 1})
    tokens = SpecialTokens.of(tokenizer, vocabulary)
    hidden, feed_forward = shape.llama["hidden_size"], shape.llama["intermediate_size"]
    heads, width = shape.llama["num_attention_heads"], shape.whisper["d_model"]
    parts: list[tuple[str, nn.Module]] = [
        ("", LlamaForCausalLM(llama)),
        ("model.", AudioAdapter(width, hidden, heads, vocabulary)),
        (ECHO_PREFIX, EchoDecoder(small, hidden, feed_forward, vocabulary, units, tokens)),
    ]
    weights: dict[str, Tensor] = {}
    for prefix, module in parts:
        _redraw(module, shape.spread)
        weights |= {prefix + name: tensor.contiguous() for name, tensor in module.state_dict().items()}
    # Labels that change from frame to frame, and an echo decoder that prefers units to text.
    weights["model.audio_feature_head.weight"] *= 4
    weights[f"{ECHO_PREFIX}lm_head.weight"][:vocabulary] *= 0.3
    if tied:
        del weights["lm_head.weight"]
    return weights


def _redraw(module: nn.Module, spread: float) -> None:
    """Larger than usual at the start of a training: outputs have to differ."""
    for name, tensor in module.state_dict().items():
        if tensor.ndim > 1:
            nn.init.normal_(tensor, std=spread)
        elif name.endswith("bias"):
            nn.init.normal_(tensor, std=0.1)


def _write_shards(folder: Path, weights: dict[str, Tensor]) -> None:
    files = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    placed = {name: files[2 * place >= len(weights)] for place, name in enumerate(weights)}
    for file in files:
        own = {name: weights[name] for name, its in placed.items() if its == file}
        save_file(own, folder / file, metadata={"format": "pt"})
    _write_json(folder / "model.safetensors.index.json", {"metadata": {}, "weight_map": placed})


def _write_vocoder(folder: Path, shape: Shape) -> None:
    predictor = {
        "encoder_embed_dim": shape.units,
        "var_pred_hidden_dim": shape.units,
        "var_pred_kernel_size": 3,
        "var_pred_dropout": 0.5,
    }
    config = {
        **_VOCODER,
        "upsample_initial_channel": shape.vocoder,
        "embedding_dim": shape.units,
        "model_in_dim": shape.units,
        "dur_predictor_params": predictor,
    }
    vocoder = Vocoder(config).float()
    _redraw(vocoder, min(shape.spread, 0.2))
    # Two or three frames a unit.
    nn.init.constant_(vocoder.dur_predictor.proj.bias, 1.2)
    generator = {}
    for name, tensor in vocoder.state_dict().items():
        if name.endswith("weight") and name.startswith(("conv", "ups", "resblocks")):
            generator[f"{name}_v"] = tensor * 3
            generator[f"{name}_g"] = tensor.norm(dim=(1, 2), keepdim=True)
        else:
            generator[name] = tensor
    torch.save({"generator": generator}, folder / "g_00500000")
    _write_json(folder / "vocoder_config.json", config)


def _write_whisper(folder: Path, shape: Shape) -> None:
    config = WhisperConfig(
        **shape.whisper,
        decoder_layers=1,
        decoder_attention_heads=2,
        decoder_ffn_dim=32,
        num_mel_bins=128,
        vocab_size=32,
        max_target_positions=8,
        pad_token_id=0,
        bos_token_id=0,
        eos_token_id=0,
        decoder_start_token_id=0,
    )
    whisper = WhisperForConditionalGeneration(config)
    _redraw(whisper, shape.spread)
    # Deaf above 3 kHz: random weights would otherwise hear nothing but what telephones leave out.
    whisper.model.encoder.conv1.weight.data[:, 80:] = 0.0
    whisper.save_pretrained(folder)
    extractor = WhisperFeatureExtractor(feature_size=128)  # type: ignore[no-untyped-call]
    extractor.save_pretrained(folder)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
