"""The published layout: what its config.json, keys and tokenizer must say, and what is built from that."""

import logging
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import torch
from transformers import (
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from speechzoo.errors import SetupError
from speechzoo_echox.tensors import TensorFiles, fill, read_json

LLM_KEYS = ("model.embed_tokens.", "model.layers.", "model.norm.", "lm_head.")
AUDIO_KEYS = (
    "model.mm_projector1.",
    "model.asr_transformer_encoder.",
    "model.out_norm.",
    "model.audio_feature_head.",
    "model.lbm.",
)
ECHO_PREFIX = "unit_translator."

_NEEDED = ("hidden_size", "vocab_size", "adapter_size", "unit_output", "unit_vocab_size")
_LLAMA = {field.name for field in fields(LlamaConfig)} | {"rope_theta", "rope_scaling"}
_LLAMA -= {"transformers_version", "architectures", "dtype"}

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """An opened folder; the weights are read when a part of the model is built.

    Attributes:
        folder: where it is.
        config: config.json as it stands.
        llama: the LLM's part of it.
        tensors: all weights but Whisper's and the vocoder's.
        tokenizer: of text and units.
        attention: transformers' attention backend of LLM and echo decoder; "" for its own choice.
    """

    folder: Path
    config: dict[str, Any]
    llama: LlamaConfig
    tensors: TensorFiles
    tokenizer: PreTrainedTokenizerBase
    attention: str = ""

    @classmethod
    def open(cls, folder: Path, attention: str = "") -> Self:
        """Looks at everything but the weights themselves.

        Raises:
            SetupError: the folder is no EchoX checkpoint, or not as the reference needs it.
        """
        config = read_json(folder / "config.json")
        if absent := [key for key in _NEEDED if config.get(key) is None]:
            raise SetupError(
                f"{folder / 'config.json'} lacks {', '.join(absent)}: it is no EchoX checkpoint "
                "that hears and speaks"
            )
        tensors = TensorFiles(folder)
        _check_keys(tensors)
        tied = _is_tied(folder, config, tensors)
        kept = {key: value for key, value in config.items() if key in _LLAMA}
        told = {"tie_word_embeddings": tied, "attn_implementation": attention or None}
        llama = LlamaConfig(**{**kept, **told})
        checkpoint = cls(folder, config, llama, tensors, _tokenizer(folder), attention)
        checkpoint._check_rows()
        checkpoint._warn_of_tokenizer()
        return checkpoint

    @property
    def vocabulary(self) -> int:
        """Tokens of the LLM; the units come after them."""
        return int(self.llama.vocab_size)

    @property
    def units(self) -> int:
        """Unit tokens, of the echo decoder alone."""
        return int(self.config["unit_vocab_size"])

    def language_model(self, dtype: torch.dtype, device: torch.device) -> LlamaForCausalLM:
        with torch.device("meta"):
            model = LlamaForCausalLM(self.llama)
        tensors = {
            prefix + name: tensor
            for prefix in LLM_KEYS
            for name, tensor in self.tensors.part(prefix, dtype, device).items()
        }
        if self.llama.tie_word_embeddings:
            tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]
        fill(model, tensors, f"the language model in {self.folder}")
        # Its frequencies are computed, not stored, and on the meta device they were not.
        model.model.rotary_emb = LlamaRotaryEmbedding(self.llama).to(device)
        if (self.folder / "generation_config.json").is_file():
            model.generation_config = GenerationConfig.from_pretrained(self.folder)
        return model

    def _check_rows(self) -> None:
        shapes = self.tensors.shapes
        hidden, both = int(self.llama.hidden_size), self.vocabulary + self.units
        for name, rows in (
            ("model.embed_tokens.weight", self.vocabulary),
            ("model.audio_feature_head.weight", self.vocabulary),
            (f"{ECHO_PREFIX}model.embed_tokens.weight", self.vocabulary),
            (f"{ECHO_PREFIX}unit_embedding.weight", self.units),
            (f"{ECHO_PREFIX}lm_head.weight", both),
        ):
            if name not in shapes:
                raise SetupError(f"the weights in {self.folder} lack {name}")
            if shapes[name][0] != rows:
                raise SetupError(
                    f"{name} in {self.folder} has {shapes[name][0]} rows; config.json (vocab_size "
                    f"{self.vocabulary}, unit_vocab_size {self.units}) says {rows}"
                )
        width = 2 * int(self.config["adapter_size"])
        if shapes.get("model.mm_projector1.weight") != (hidden, width):
            raise SetupError(
                f"model.mm_projector1.weight in {self.folder} is not [{hidden}, {width}] "
                "(hidden_size, twice adapter_size)"
            )

    def _warn_of_tokenizer(self) -> None:
        """What published checkpoints very likely have, and what no result depends on directly."""
        if len(self.tokenizer) != self.vocabulary + self.units:
            _LOG.warning(
                "%s: the tokenizer has %d tokens, the model %d of text and %d of units",
                self.folder,
                len(self.tokenizer),
                self.vocabulary,
                self.units,
            )
        places = [self.vocabulary, self.vocabulary + self.units - 1]
        names = self.tokenizer.convert_ids_to_tokens(places)
        if not all(str(name).startswith("<|unit_") for name in names):
            _LOG.warning("%s: ids %s should be unit tokens and are %s", self.folder, places, names)
        if self.tokenizer.pad_token_id != self.tokenizer.convert_tokens_to_ids("<|eot_id|>"):
            _LOG.warning(
                "%s: padding is %r, not <|eot_id|>: ends of turns are not masked",
                self.folder,
                self.tokenizer.pad_token,
            )


def _is_tied(folder: Path, config: dict[str, Any], tensors: TensorFiles) -> bool:
    """Whether the LLM's head is its table of tokens, as in EchoX-3B."""
    told = bool(config.get("tie_word_embeddings", False))
    there = "lm_head.weight" in tensors.shapes
    if not there and not told:
        raise SetupError(
            f"the weights in {folder} lack lm_head.weight, and config.json does not say tie_word_embeddings"
        )
    if there and told:
        _LOG.warning("%s: config.json ties lm_head.weight, but it is there: it is used", folder)
    return not there


def _tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    if not (folder / "tokenizer.json").is_file():
        raise SetupError(f"{folder / 'tokenizer.json'} is missing; copy all files of the checkpoint")
    # Not by way of AutoTokenizer, which asks config.json for a model type that transformers knows. Its
    # clean-up would take out spaces that the model wrote.
    tokenizer: PreTrainedTokenizerBase = PreTrainedTokenizerFast.from_pretrained(
        folder, local_files_only=True, clean_up_tokenization_spaces=False
    )
    return tokenizer


def _check_keys(tensors: TensorFiles) -> None:
    known = (*LLM_KEYS, *AUDIO_KEYS, ECHO_PREFIX)
    if unknown := sorted(name for name in tensors.shapes if not name.startswith(known)):
        raise SetupError(
            f"the weights in {tensors.folder} hold {len(unknown)} tensors that EchoX has no place for, "
            f"such as {unknown[0]}: were LoRA weights not merged?"
        )
