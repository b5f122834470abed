"""A tiny Moshi, with its codec."""

from pathlib import Path

import torch
from transformers import MoshiConfig, MoshiForConditionalGeneration

from speechzoo_hf_speech.tiny.parts import TEXT, tokenizer_of


def moshi(folder: Path, seed: int = 0) -> None:
    """Any seed will do: no weights are chosen."""
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
    model, draws = MoshiForConditionalGeneration(config), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in (*model.named_parameters(), *model.named_buffers()):
            # Codebooks are made by training alone: at first all codes are one, whatever is heard.
            if name.endswith("embed_sum"):
                weight.copy_(torch.randn(weight.shape, generator=draws))
            elif isinstance(weight, torch.nn.Parameter) and weight.dim() > 1:
                weight.copy_(torch.randn(weight.shape, generator=draws) * 0.2)
    for part in (model, tokenizer):
        part.save_pretrained(folder)
