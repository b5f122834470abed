"""What the builders share: sizes, a tokenizer of bytes, weights that are drawn."""

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerFast, WhisperFeatureExtractor

SECONDS = 12
"""The window: the longest clip of s2sbench-mini has 9.5 s."""
MEL = 16
TEXT = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "max_position_embeddings": 2048,
}
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.content is string %}{{ m.content }}{% else %}{% for c in m.content %}"
    "{% if c.type == 'audio' %}AUDIO{% else %}{{ c.text }}{% endif %}{% endfor %}{% endif %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def tokenizer_of(*special: str, clip: str = "") -> PreTrainedTokenizerFast:
    """The 256 bytes and special tokens; its chat template writes ``clip`` for a clip."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={symbol: i for i, symbol in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    every = ["<|im_start|>", "<|im_end|>", *special]
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in every])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        chat_template=CHATML.replace("AUDIO", clip) if clip else None,
    )


def id_of(tokenizer: PreTrainedTokenizerFast, token: str) -> int:
    return tokenizer.get_vocab()[token]


def whisper() -> WhisperFeatureExtractor:
    return WhisperFeatureExtractor(feature_size=MEL, chunk_length=SECONDS)


def save(folder: Path, model: PreTrainedModel, *parts: Any) -> None:
    """With weights from N(0, 0.2): with the usual 0.02, audio, masks and positions would hardly show."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1 or name.endswith("bias"):
                weight.copy_(_drawn(weight))
            # Next to these, what would end the speech at once is never drawn.
            if name.endswith("codec_head.weight"):
                weight[:16] *= 10
            # A recording at 8 kHz lacks the upper bands: trained models do not take it for other speech.
            if name.endswith("conv1.weight"):
                weight[:, 2 * MEL // 3 :] = 0
            if name.endswith("encoder.input_linear.weight"):
                weight.unflatten(1, (2, MEL))[:, :, 2 * MEL // 3 :] = 0
    for part in (model, *parts):
        part.save_pretrained(folder)


def add_lora(folder: Path, model: PreTrainedModel, layers: str) -> None:
    """A LoRA for layers of these names, saved in a folder of its own or beside the weights."""
    model.add_adapter(LoraConfig(target_modules=layers, r=4, init_lora_weights=False))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_" in name:
                weight.copy_(_drawn(weight))
    # Granite-Speech's own way would save the weights again, under names that LoRA gave them.
    PreTrainedModel.save_pretrained(model, folder)


def _drawn(weight: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(weight.numel())
    return torch.randn(weight.shape, generator=generator) * 0.2
