"""Tiny Omni models, which speak as well."""

from pathlib import Path

import torch
from transformers import (
    Qwen2_5OmniConfig,
    Qwen2_5OmniForConditionalGeneration,
    Qwen3OmniMoeConfig,
    Qwen3OmniMoeForConditionalGeneration,
    WhisperFeatureExtractor,
)

from speechzoo_hf_speech.tiny.parts import MEL, TEXT, id_of, save, tokenizer_of

OMNI = (
    "<|AUDIO|>",
    "<|IMAGE|>",
    "<|VIDEO|>",
    "<|audio_bos|>",
    "<|audio_eos|>",
    "<|vision_bos|>",
    "<|vision_eos|>",
    "<|tts_bos|>",
    "<|tts_eos|>",
    "<|tts_pad|>",
    "<|user|>",
)


def qwen2_5_omni(folder: Path) -> None:
    tokenizer = tokenizer_of(*OMNI, clip="<|audio_bos|><|AUDIO|><|audio_eos|>")
    ids = {token: id_of(tokenizer, token) for token in OMNI}
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 1, 1]}
    sizes = {
        **TEXT,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "rope_parameters": rope,
    }
    special = {
        "audio_token_index": ids["<|AUDIO|>"],
        "image_token_index": ids["<|IMAGE|>"],
        "video_token_index": ids["<|VIDEO|>"],
        "audio_start_token_id": ids["<|audio_bos|>"],
        "audio_end_token_id": ids["<|audio_eos|>"],
        "vision_start_token_id": ids["<|vision_bos|>"],
        "vision_end_token_id": ids["<|vision_eos|>"],
    }
    audio = {
        "num_mel_bins": MEL,
        "d_model": 32,
        "encoder_layers": 1,
        "encoder_attention_heads": 2,
        "encoder_ffn_dim": 64,
        "max_source_positions": 200,
        "n_window": 50,
        "output_dim": 32,
    }
    vision = {
        "depth": 1,
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_heads": 2,
        "patch_size": 14,
        "spatial_merge_size": 1,
        "window_size": 28,
        "out_hidden_size": 32,
        "fullatt_block_indexes": [0],
    }
    thinker = {
        "text_config": {"vocab_size": len(tokenizer), **sizes},
        "audio_config": audio,
        "vision_config": vision,
        "user_token_id": ids["<|user|>"],
        **special,
    }
    talker = {
        **special,
        **sizes,
        "num_hidden_layers": 1,
        "vocab_size": 40,
        "embedding_size": 32,
        "tts_codec_pad_token_id": 32,
        "tts_codec_start_token_id": 33,
        "tts_codec_end_token_id": 34,
        "tts_codec_mask_token_id": 36,
        "tts_text_start_token_id": ids["<|tts_bos|>"],
        "tts_text_end_token_id": ids["<|tts_eos|>"],
        "tts_text_pad_token_id": ids["<|tts_pad|>"],
        "spatial_merge_size": 1,
    }
    dit = {
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "head_dim": 16,
        "ff_mult": 1,
        "emb_dim": 16,
        "num_embeds": 41,
        "mel_dim": MEL,
        "enc_emb_dim": 16,
        "enc_dim": 16,
        "enc_channels": [16, 16, 16, 16, 48],
        "enc_attention_channels": 8,
        "enc_se_channels": 8,
        "look_ahead_layers": [0],
        "look_backward_layers": [0],
    }
    bigvgan = {
        "mel_dim": MEL,
        "upsample_initial_channel": 16,
        "resblock_kernel_sizes": [3],
        "resblock_dilation_sizes": [[1, 3, 5]],
        "upsample_rates": [5, 3, 2, 2],
        "upsample_kernel_sizes": [11, 7, 4, 4],
    }
    config = Qwen2_5OmniConfig(
        thinker_config=thinker,
        talker_config=talker,
        token2wav_config={"dit_config": dit, "bigvgan_config": bigvgan},
    )
    whisper = WhisperFeatureExtractor(feature_size=MEL, chunk_length=300)
    save(folder, Qwen2_5OmniForConditionalGeneration(config), whisper, tokenizer)
    draws = torch.Generator().manual_seed(1)
    cond, mel = (torch.randn(shape, generator=draws) for shape in ((1, 16), (1, 40, MEL)))
    speaker = {"bos_token": ids["<|tts_bos|>"], "cond": cond, "ref_mel": mel}
    torch.save({"Chelsie": speaker}, folder / "spk_dict.pt")


def qwen3_omni(folder: Path) -> None:
    clip = ("<|audio_start|>", "<|audio_pad|>", "<|audio_end|>")
    others = ("<|image_pad|>", "<|video_pad|>", "<|vision_start|>")
    tts = ("<|tts_pad|>", "<|tts_bos|>", "<|tts_eos|>")
    tokenizer = tokenizer_of(*clip, *others, *tts, clip="".join(clip))
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 1, 1]}
    sizes = {**TEXT, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8}
    experts = {
        "num_experts": 4,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 16,
        "rope_parameters": rope,
    }
    special = {
        "audio_start_token_id": id_of(tokenizer, "<|audio_start|>"),
        "audio_token_id": id_of(tokenizer, "<|audio_pad|>"),
        "image_token_id": id_of(tokenizer, "<|image_pad|>"),
        "video_token_id": id_of(tokenizer, "<|video_pad|>"),
        "vision_start_token_id": id_of(tokenizer, "<|vision_start|>"),
    }
    audio = {
        "num_mel_bins": MEL,
        "d_model": 32,
        "encoder_layers": 1,
        "encoder_attention_heads": 2,
        "encoder_ffn_dim": 64,
        "max_source_positions": 200,
        "n_window": 50,
        "n_window_infer": 100,
        "output_dim": 32,
        "downsample_hidden_size": 8,
    }
    vision = {
        "depth": 1,
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_heads": 2,
        "patch_size": 14,
        "spatial_merge_size": 1,
        "out_hidden_size": 32,
        "num_position_embeddings": 16,
        "deepstack_visual_indexes": [0],
    }
    thinker = {
        "text_config": {"vocab_size": len(tokenizer), **sizes, **experts},
        "audio_config": audio,
        "vision_config": vision,
        "user_token_id": id_of(tokenizer, "u"),
        **special,
    }
    groups = 4
    predictor = {**sizes, "vocab_size": 16, "num_hidden_layers": 1, "num_code_groups": groups}
    talker = {
        # Its last 1024 ids are never drawn.
        "text_config": {
            **sizes,
            **experts,
            "vocab_size": 1040,
            "num_hidden_layers": 1,
            "shared_expert_intermediate_size": 16,
        },
        "code_predictor_config": predictor,
        "num_code_groups": groups,
        "thinker_hidden_size": 32,
        "accept_hidden_layer": 1,
        "codec_eos_token_id": 20,
        "codec_nothink_id": 21,
        "codec_think_bos_id": 22,
        "codec_think_eos_id": 23,
        "codec_pad_id": 24,
        "codec_bos_id": 25,
        "speaker_id": {"ethan": 26},
        "spatial_merge_size": 1,
        **special,
    }
    code2wav = {
        "codebook_size": 16,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "num_hidden_layers": 1,
        "num_quantizers": groups,
        "sliding_window": 16,
        "upsample_rates": [8, 4],
        "upsampling_ratios": [2, 2],
        "decoder_dim": 32,
    }
    config = Qwen3OmniMoeConfig(
        thinker_config=thinker,
        talker_config=talker,
        code2wav_config=code2wav,
        im_start_token_id=id_of(tokenizer, "<|im_start|>"),
        im_end_token_id=id_of(tokenizer, "<|im_end|>"),
        # Roles are spelled in bytes here: the first says enough.
        system_token_id=id_of(tokenizer, "s"),
        user_token_id=id_of(tokenizer, "u"),
        assistant_token_id=id_of(tokenizer, "a"),
        tts_pad_token_id=id_of(tokenizer, "<|tts_pad|>"),
        tts_bos_token_id=id_of(tokenizer, "<|tts_bos|>"),
        tts_eos_token_id=id_of(tokenizer, "<|tts_eos|>"),
    )
    whisper = WhisperFeatureExtractor(feature_size=MEL, chunk_length=300)
    save(folder, Qwen3OmniMoeForConditionalGeneration(config), whisper, tokenizer)
