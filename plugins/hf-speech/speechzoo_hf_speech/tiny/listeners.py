"""Tiny models that hear, read and write."""

from pathlib import Path
from typing import Any

from transformers import (
    AudioFlamingo3Config,
    AudioFlamingo3ForConditionalGeneration,
    AudioFlamingo3Processor,
    GlmAsrConfig,
    GlmAsrForConditionalGeneration,
    GlmAsrProcessor,
    GraniteSpeechConfig,
    GraniteSpeechForConditionalGeneration,
    Phi4MultimodalConfig,
    Phi4MultimodalFeatureExtractor,
    Phi4MultimodalForCausalLM,
    Qwen2AudioConfig,
    Qwen2AudioForConditionalGeneration,
    Qwen2AudioProcessor,
    VoxtralConfig,
    VoxtralForConditionalGeneration,
)

from speechzoo_hf_speech.tiny.parts import MEL, SECONDS, TEXT, add_lora, id_of, save, tokenizer_of, whisper

ENCODER = {
    "num_mel_bins": MEL,
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_source_positions": 50 * SECONDS,
}


def qwen2_audio(folder: Path) -> None:
    tokenizer = tokenizer_of("<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>")
    config = Qwen2AudioConfig(
        audio_config={
            "model_type": "qwen2_audio_encoder",
            "num_mel_bins": MEL,
            "d_model": 32,
            "encoder_layers": 1,
            "encoder_attention_heads": 2,
            "encoder_ffn_dim": 64,
            "max_source_positions": 50 * SECONDS,
        },
        text_config={"model_type": "qwen2", "vocab_size": len(tokenizer), **TEXT},
        audio_token_index=id_of(tokenizer, "<|AUDIO|>"),
    )
    save(folder, Qwen2AudioForConditionalGeneration(config), Qwen2AudioProcessor(whisper(), tokenizer))


def voxtral(folder: Path) -> None:
    tokenizer = tokenizer_of("<s>", "</s>", "[INST]", "[/INST]", "[AUDIO]", "[BEGIN_AUDIO]")
    tokenizer.eos_token = "</s>"
    config = VoxtralConfig(
        # The projector packs four frames.
        audio_config={"model_type": "voxtral_encoder", **ENCODER, "intermediate_size": 128},
        text_config={"model_type": "llama", "vocab_size": len(tokenizer), **TEXT},
        audio_token_id=id_of(tokenizer, "[AUDIO]"),
    )
    save(folder, VoxtralForConditionalGeneration(config), whisper(), tokenizer)


def audio_flamingo3(folder: Path) -> None:
    tokenizer = tokenizer_of("<sound>", clip="<sound>")
    config = AudioFlamingo3Config(
        audio_config={"model_type": "audioflamingo3_encoder", **ENCODER},
        text_config={"model_type": "qwen2", "vocab_size": len(tokenizer), **TEXT},
        audio_token_id=id_of(tokenizer, "<sound>"),
    )
    processor = AudioFlamingo3Processor(whisper(), tokenizer, chat_template=tokenizer.chat_template)
    save(folder, AudioFlamingo3ForConditionalGeneration(config), processor)


def glm_asr(folder: Path) -> None:
    clip = "<|begin_of_audio|><|pad|><|end_of_audio|>"
    tokenizer = tokenizer_of("<|begin_of_audio|>", "<|pad|>", "<|end_of_audio|>", clip=clip)
    audio = {
        "hidden_size": 32,
        "intermediate_size": 128,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_mel_bins": MEL,
        "max_position_embeddings": 50 * SECONDS,
    }
    config = GlmAsrConfig(
        audio_config={"model_type": "glmasr_encoder", **audio},
        text_config={"model_type": "llama", "vocab_size": len(tokenizer), **TEXT},
        audio_token_id=id_of(tokenizer, "<|pad|>"),
    )
    processor = GlmAsrProcessor(whisper(), tokenizer, chat_template=tokenizer.chat_template)
    save(folder, GlmAsrForConditionalGeneration(config), processor)


def granite_speech(folder: Path) -> None:
    tokenizer = tokenizer_of("<|audio|>", clip="<|audio|>")
    encoder = {
        "input_dim": 2 * MEL,
        "num_layers": 2,
        "hidden_dim": 32,
        "num_heads": 2,
        "dim_head": 16,
        "output_dim": 10,
        "context_size": 20,
        "max_pos_emb": 32,
        "conv_kernel_size": 3,
    }
    projector = {
        "model_type": "blip_2_qformer",
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "encoder_hidden_size": 32,
        "cross_attention_frequency": 1,
    }
    config = GraniteSpeechConfig(
        encoder_config=encoder,
        projector_config=projector,
        text_config={"model_type": "granite", "vocab_size": len(tokenizer), **TEXT},
        audio_token_index=id_of(tokenizer, "<|audio|>"),
    )
    model = GraniteSpeechForConditionalGeneration(config)
    save(folder, model, tokenizer)
    add_lora(folder, model, r".*language_model.*(q_proj|v_proj)")


def phi4_multimodal(folder: Path) -> None:
    tokenizer = tokenizer_of("<|audio|>", "<|image|>", clip="<|audio|>")
    audio = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_blocks": 1,
        "num_attention_heads": 2,
        "ext_pw_out_channel": 32,
        "depthwise_separable_out_channel": 32,
        "nemo_conv_channels": 32,
        "audio_token_id": id_of(tokenizer, "<|audio|>"),
    }
    vision = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 28,
        "crop_size": 28,
        "image_token_id": id_of(tokenizer, "<|image|>"),
    }
    text: dict[str, Any] = {name: size for name, size in TEXT.items() if name != "head_dim"}
    config = Phi4MultimodalConfig(
        audio_config=audio,
        vision_config=vision,
        vocab_size=len(tokenizer),
        rope_parameters={"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 1.0},
        original_max_position_embeddings=1024,
        bos_token_id=id_of(tokenizer, "<|im_start|>"),
        eos_token_id=[id_of(tokenizer, "<|im_end|>")],
        pad_token_id=id_of(tokenizer, "<|im_end|>"),
        **text,
    )
    model = Phi4MultimodalForCausalLM(config)
    norm = model.model.embed_tokens_extend.audio_embed.encoder.encoder_embedding
    norm.global_mean.fill_(8)
    norm.global_invstd.fill_(0.25)[53:] = 0
    save(folder, model, tokenizer, Phi4MultimodalFeatureExtractor())
    add_lora(folder / "speech-lora", model, r".*qkv_proj")
