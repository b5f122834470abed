"""A tiny Moshi, with its codec."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import MimiModel, MoshiConfig, MoshiForConditionalGeneration

from speechzoo_hf_speech.tiny.parts import TEXT, tokenizer_of


def moshi(folder: Path, seed: int = 0) -> None:
    """Equal seeds give equal weights, and none is chosen."""
    tokenizer = tokenizer_of("<pad>", "<unk>")
    size, codebooks = TEXT["hidden_size"], 4
    mimi = {
        "model_type": "mimi",
        "num_filters": 4,
        "hidden_size": size,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "codebook_size": 16,
        "codebook_dim": 8,
        "vector_quantization_hidden_dimension": 8,
        "num_quantizers": codebooks,
        "upsampling_ratios": [8, 6, 5, 4],
        "upsample_groups": size,
    }
    depth = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "ffn_dim": 32,
        "max_position_embeddings": codebooks + 1,
        "sliding_window": codebooks,
    }
    config = MoshiConfig(
        vocab_size=len(tokenizer),
        hidden_size=size,
        num_hidden_layers=2,
        num_attention_heads=2,
        ffn_dim=64,
        max_position_embeddings=512,
        num_codebooks=codebooks,
        audio_encoder_config=mimi,
        depth_decoder_config=depth,
    )
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        model = MoshiForConditionalGeneration(config)
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.normal_(std=0.2)
        _fill_codebooks(model.audio_encoder)
    for part in (model, tokenizer):
        part.save_pretrained(folder)


def _fill_codebooks(codec: MimiModel) -> None:
    """Makes codes of frames of noise that swells and fades, as training begins with those of its first batch.

    Until then all codes are one; and of codes of another spread all speech would be next to the same.
    """
    wave = torch.randn(128, codec.config.frame_size) * torch.rand(128, 1)
    split: Any = codec.quantizer
    for quantizer in (split.semantic_residual_vector_quantizer, split.acoustic_residual_vector_quantizer):
        heard: list[Tensor] = []
        hook = quantizer.input_proj.register_forward_hook(lambda *call, heard=heard: heard.append(call[-1]))
        codec.encode(wave.reshape(1, 1, -1))
        hook.remove()
        [residual] = heard[0].mT
        for layer in quantizer.layers:
            codes = residual[torch.randperm(len(residual))[: layer.codebook.codebook_size]]
            layer.codebook.embed_sum.copy_(codes)
            residual = residual - codes[torch.cdist(residual, codes).argmin(1)]
