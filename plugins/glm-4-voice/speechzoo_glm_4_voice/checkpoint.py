"""The published layout, ChatGLM's, read into transformers' GLM: no code of the checkpoint is run.

Source of names and of what they mean: ``modeling_chatglm.py``, ``tokenization_chatglm.py`` of GLM-4.
"""

import base64
import json
from pathlib import Path
from typing import Any, cast

from tokenizers import AddedToken, Tokenizer
from transformers import GlmConfig, GlmForCausalLM, PreTrainedTokenizerFast
from transformers.conversion_mapping import register_checkpoint_conversion_mapping
from transformers.convert_slow_tokenizer import TikTokenConverter
from transformers.core_model_loading import Split, WeightConverter, WeightRenaming

from speechzoo import Setup, SetupError, lm

_NAMES = {
    "padded_vocab_size": "vocab_size",
    "ffn_hidden_size": "intermediate_size",
    "num_layers": "num_hidden_layers",
    "multi_query_group_num": "num_key_value_heads",
    "kv_channels": "head_dim",
    "seq_length": "max_position_embeddings",
    "layernorm_epsilon": "rms_norm_eps",
    "add_qkv_bias": "attention_bias",
}
_SAME = ("hidden_size", "num_attention_heads", "eos_token_id", "pad_token_id", "tie_word_embeddings")
# What transformers' GLM takes for granted.
_FIXED = {
    "add_bias_linear": False,
    "apply_residual_connection_post_layernorm": False,
    "multi_query_attention": True,
    "original_rope": True,
    "post_layer_norm": True,
    "rmsnorm": True,
}
_ROPE_THETA = 10_000


class ChatGLMConfig(GlmConfig):
    """Made of a config.json with ChatGLM's names."""

    model_type = "chatglm"

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **options: Any) -> Any:
        return super().from_dict(_translated(config_dict), **options)


class ChatGLMForCausalLM(GlmForCausalLM):
    """Made of weights with ChatGLM's names and its queries, keys and values in one."""

    config_class = ChatGLMConfig
    # Computed anew, from the config.
    _keys_to_ignore_on_load_unexpected = [r"rotary_pos_emb\.inv_freq"]  # noqa: RUF012


register_checkpoint_conversion_mapping(
    "ChatGLMForCausalLM",
    [
        WeightRenaming("transformer.embedding.word_embeddings", "model.embed_tokens"),
        WeightRenaming("transformer.encoder.final_layernorm", "model.norm"),
        WeightRenaming("transformer.encoder.layers", "model.layers"),
        WeightRenaming("transformer.output_layer", "lm_head"),
        WeightRenaming("self_attention.dense", "self_attn.o_proj"),
        WeightRenaming("mlp.dense_h_to_4h", "mlp.gate_up_proj"),
        WeightRenaming("mlp.dense_4h_to_h", "mlp.down_proj"),
        WeightConverter(
            "self_attention.query_key_value",
            ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
            [Split(dim=0)],
        ),
    ],
    overwrite=True,
)


def load_model(folder: Path, setup: Setup) -> GlmForCausalLM:
    """The LLM of a folder.

    Raises:
        SetupError: config.json is missing or of another kind, tensors are missing; or as of
            `speechzoo.lm.load_model`.
    """
    if not (folder / "config.json").is_file():
        raise SetupError(f"{setup.name}: {folder} has no config.json; is it a GLM-4-Voice checkpoint?")
    config = ChatGLMConfig.from_pretrained(folder, local_files_only=True)
    loaded = lm.load_model(folder, setup, ChatGLMForCausalLM, config=config, output_loading_info=True)
    model, report = cast(tuple[GlmForCausalLM, dict[str, Any]], loaded)
    wrong = [kind for kind in ("missing_keys", "unexpected_keys", "mismatched_keys") if report[kind]]
    if wrong:
        told = "; ".join(
            f"{kind.split('_')[0]}: {', '.join(sorted(map(str, report[kind]))[:3])}" for kind in wrong
        )
        raise SetupError(f"{setup.name}: the weights in {folder} are not whole or not GLM-4-Voice's ({told})")
    return model


def load_tokenizer(folder: Path, setup: Setup) -> PreTrainedTokenizerFast:
    """The tokenizer that tokenizer.model and tokenizer_config.json describe, without the code beside them.

    Raises:
        SetupError: one of them is missing.
    """
    vocabulary, settings = folder / "tokenizer.model", folder / "tokenizer_config.json"
    if lacking := [file.name for file in (vocabulary, settings) if not file.is_file()]:
        raise SetupError(f"{setup.name}: {folder} lacks {' and '.join(lacking)}")
    told = json.loads(settings.read_text(encoding="utf-8")).get("added_tokens_decoder", {})
    return PreTrainedTokenizerFast(
        tokenizer_object=_Converter(
            str(vocabulary), {int(index): one for index, one in told.items()}
        ).converted(),
        eos_token="<|endoftext|>",
        pad_token="<|endoftext|>",
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


class _Converter(TikTokenConverter):
    """Its default pattern is GLM-4's as well.

    Args:
        vocab_file: lines of a token in base64 and its rank.
        added: what tokenizer_config.json says of further tokens, by id.
    """

    def __init__(self, vocab_file: str, added: dict[int, dict[str, Any]]) -> None:
        super().__init__(vocab_file)  # type: ignore[no-untyped-call]
        self._added = {
            index: AddedToken(
                one["content"],
                special=one.get("special", False),
                normalized=one.get("normalized", False),
                lstrip=one.get("lstrip", False),
                rstrip=one.get("rstrip", False),
            )
            for index, one in sorted(added.items())
        }

    @staticmethod
    def load_tiktoken_bpe(tiktoken_url: str) -> dict[bytes, int]:
        lines = Path(tiktoken_url).read_text(encoding="ascii").split("\n")
        pairs = (line.split() for line in lines if line.strip())
        return {base64.b64decode(token): int(rank) for token, rank in pairs}

    def extract_vocab_merges_from_model(
        self, tiktoken_url: str
    ) -> tuple[dict[str, int], list[tuple[str, str]]]:
        vocabulary, merges = super().extract_vocab_merges_from_model(tiktoken_url)
        # Ids have gaps; a token that is in the vocabulary already keeps its id when it is added.
        return vocabulary | {token.content: index for index, token in self._added.items()}, merges

    def converted(self) -> Tokenizer:
        tokenizer = super().converted()
        tokenizer.add_tokens(list(self._added.values()))
        return tokenizer


def _translated(config: dict[str, Any]) -> dict[str, Any]:
    lacking = [name for name in (*_NAMES, "hidden_size", "num_attention_heads") if name not in config]
    other = [name for name, value in _FIXED.items() if config.get(name, value) != value]
    if lacking or other:
        raise SetupError(
            "config.json is not GLM-4-Voice's: "
            + "; ".join(
                [f"{name} is missing" for name in lacking] + [f"{name} is {config[name]}" for name in other]
            )
        )
    return {
        **{ours: config[theirs] for theirs, ours in _NAMES.items()},
        **{name: config[name] for name in _SAME if name in config},
        "tie_word_embeddings": config.get("tie_word_embeddings", False),
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": float(_ROPE_THETA * config.get("rope_ratio", 1)),
            "partial_rotary_factor": 0.5,
        },
    }
