"""A tiny checkpoint with random weights: the published files, names and quirks, for tests and first tries.

No published weight is in it, and nothing learnt from it says what the published weights score.
"""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from speechzoo_glm_4_voice.speech_tokenizer import SpeechTokenizer

WIDTH, HEADS, GROUPS, HEAD, FEED, LAYERS = 32, 4, 2, 16, 48, 2
MEL, EAR, CODES, POSITIONS = 16, 32, 40, 1024
BYTES = [bytes([value]) for value in range(256)]
MERGED = [b"th", b"the", b" the", b"in", b"er", b" s", b" se", b"an", b"and"]
SPECIAL = ["<|endoftext|>", "[MASK]", "[gMASK]", "[sMASK]", "<sop>", "<eop>"]
SPECIAL += ["<|system|>", "<|user|>", "<|assistant|>", "<|observation|>"]
SPECIAL += ["<|begin_of_image|>", "<|end_of_image|>", "<|begin_of_video|>", "<|end_of_video|>"]
SPECIAL += ["<|begin_of_audio|>", "<|end_of_audio|>"]
FIRST_SPECIAL = len(BYTES) + len(MERGED)
# As in the published tokenizer, no token has the ids before the first of audio.
FIRST_CODE = FIRST_SPECIAL + len(SPECIAL) + 9
VOCABULARY = FIRST_CODE + CODES + 7


def build(folder: Path) -> None:
    """Writes a checkpoint into an existing, empty folder; always the same one."""
    draws = torch.Generator().manual_seed(0)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    save_file(llm_weights(draws), folder / "model.safetensors")
    lines = [f"{base64.b64encode(token).decode()} {rank}" for rank, token in enumerate([*BYTES, *MERGED])]
    (folder / "tokenizer.model").write_text("\n".join(lines) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer_config()))
    ears = folder / "speech-tokenizer"
    ears.mkdir()
    (ears / "config.json").write_text(json.dumps(EAR_CONFIG))
    (ears / "preprocessor_config.json").write_text(json.dumps(EXTRACTOR))
    weights = ear_weights(draws)
    save_file(weights, ears / "model.safetensors")
    # Random codes would all be far from what is heard, and one of them the nearest to everything.
    tokenizer = SpeechTokenizer.load(ears, torch.device("cpu"))
    time = np.arange(CODES * 4 * 1280)
    noise = 0.2 * np.random.default_rng(0).standard_normal(len(time)) * np.sin(time / 3000)
    weights["codebook.weight"] = tokenizer.states(*tokenizer.features(noise.astype("f4")))[::4].clone()
    save_file(weights, ears / "model.safetensors")


CONFIG: dict[str, Any] = {
    "model_type": "chatglm",
    "architectures": ["ChatGLMModel"],
    "auto_map": {"AutoConfig": "configuration_chatglm.ChatGLMConfig"},
    "add_bias_linear": False,
    "add_qkv_bias": True,
    "apply_query_key_layer_scaling": True,
    "apply_residual_connection_post_layernorm": False,
    "attention_dropout": 0.0,
    "attention_softmax_in_fp32": True,
    "bias_dropout_fusion": True,
    "ffn_hidden_size": FEED,
    "fp32_residual_connection": False,
    "hidden_dropout": 0.0,
    "hidden_size": WIDTH,
    "kv_channels": HEAD,
    "layernorm_epsilon": 1.5625e-07,
    "multi_query_attention": True,
    "multi_query_group_num": GROUPS,
    "num_attention_heads": HEADS,
    "num_layers": LAYERS,
    "original_rope": True,
    "padded_vocab_size": VOCABULARY,
    "post_layer_norm": True,
    "rmsnorm": True,
    "rope_ratio": 2,
    "seq_length": POSITIONS,
    "use_cache": True,
    "torch_dtype": "bfloat16",
    "tie_word_embeddings": False,
    "eos_token_id": [FIRST_SPECIAL, FIRST_SPECIAL + 7, FIRST_SPECIAL + 9],
    "pad_token_id": FIRST_SPECIAL,
}
EAR_CONFIG: dict[str, Any] = {
    "model_type": "whisper",
    "architectures": ["WhisperVQEncoder"],
    "num_mel_bins": MEL,
    "d_model": EAR,
    "encoder_layers": 4,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 48,
    "max_source_positions": 1500,
    "encoder_causal_convolution": True,
    "encoder_causal_attention": False,
    "pooling_kernel_size": 4,
    "pooling_type": "avg",
    "pooling_position": 2,
    "quantize_position": 2,
    "quantize_vocab_size": CODES,
    "quantize_encoder_only": True,
    "quantize_causal_encoder": False,
    # Published: 200, 4 s. Here a clip of 2 s has several blocks.
    "quantize_causal_block_size": 24,
    "quantize_ema_decay": 0.99,
}
EXTRACTOR: dict[str, Any] = {
    "feature_extractor_type": "WhisperFeatureExtractor",
    "feature_size": MEL,
    "sampling_rate": 16_000,
    "hop_length": 160,
    "chunk_length": 30,
    "n_fft": 400,
    "return_attention_mask": False,
}


def tokenizer_config() -> dict[str, Any]:
    ids = {FIRST_SPECIAL + place: (token, True) for place, token in enumerate(SPECIAL)}
    ids |= {FIRST_CODE + code: (f"<|audio_{code}|>", False) for code in range(CODES)}
    told = {
        str(index): {
            "content": token,
            "lstrip": False,
            "normalized": False,
            "rstrip": False,
            "single_word": False,
            "special": special,
        }
        for index, (token, special) in ids.items()
    }
    return {
        "auto_map": {"AutoTokenizer": ["tokenization_chatglm.ChatGLM4Tokenizer", None]},
        "tokenizer_class": "ChatGLM4Tokenizer",
        "added_tokens_decoder": told,
    }


def llm_weights(draws: torch.Generator) -> dict[str, torch.Tensor]:
    """With the usual 0.02, audio, masks and positions would hardly show."""

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=draws) * 0.3

    fused = (HEADS + 2 * GROUPS) * HEAD
    weights = {
        "transformer.embedding.word_embeddings.weight": drawn(VOCABULARY, WIDTH),
        "transformer.encoder.final_layernorm.weight": 1 + drawn(WIDTH),
        "transformer.output_layer.weight": drawn(VOCABULARY, WIDTH),
        # Saved by the authors' code, and of no use.
        "transformer.rotary_pos_emb.inv_freq": torch.ones(HEAD // 4),
    }
    for layer in range(LAYERS):
        weights |= {
            f"transformer.encoder.layers.{layer}.{name}": one
            for name, one in {
                "input_layernorm.weight": 1 + drawn(WIDTH),
                "self_attention.query_key_value.weight": drawn(fused, WIDTH),
                "self_attention.query_key_value.bias": drawn(fused),
                "self_attention.dense.weight": drawn(WIDTH, HEADS * HEAD),
                "post_attention_layernorm.weight": 1 + drawn(WIDTH),
                "mlp.dense_h_to_4h.weight": drawn(2 * FEED, WIDTH),
                "mlp.dense_4h_to_h.weight": drawn(WIDTH, FEED),
            }.items()
        }
    return weights


def ear_weights(draws: torch.Generator) -> dict[str, torch.Tensor]:
    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=draws) * 0.3

    feed = EAR_CONFIG["encoder_ffn_dim"]
    weights = {
        "conv1.weight": drawn(EAR, MEL, 3),
        "conv1.bias": drawn(EAR),
        "conv2.weight": drawn(EAR, EAR, 3),
        "conv2.bias": drawn(EAR),
        "embed_positions.weight": drawn(1500, EAR),
        "embed_positions2.weight": drawn(375, EAR),
        "codebook.weight": drawn(CODES, EAR),
        "ema_count": torch.ones(CODES),
        "ema_weight": drawn(CODES, EAR),
    }
    # A recording at 8 kHz lacks the upper bands: trained models do not take it for other speech.
    weights["conv1.weight"][:, MEL // 2 :] = 0
    for layer in range(2):
        for name, shape in {
            "self_attn.q_proj.weight": (EAR, EAR),
            "self_attn.q_proj.bias": (EAR,),
            "self_attn.k_proj.weight": (EAR, EAR),
            "self_attn.v_proj.weight": (EAR, EAR),
            "self_attn.v_proj.bias": (EAR,),
            "self_attn.out_proj.weight": (EAR, EAR),
            "self_attn.out_proj.bias": (EAR,),
            "self_attn_layer_norm.weight": (EAR,),
            "self_attn_layer_norm.bias": (EAR,),
            "fc1.weight": (feed, EAR),
            "fc1.bias": (feed,),
            "fc2.weight": (EAR, feed),
            "fc2.bias": (EAR,),
            "final_layer_norm.weight": (EAR,),
            "final_layer_norm.bias": (EAR,),
        }.items():
            weights[f"layers.{layer}.{name}"] = drawn(*shape)
    return weights
