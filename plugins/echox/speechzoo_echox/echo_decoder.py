"""The echo decoder: a small Llama that turns states of the LLM into unit tokens."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaModel
from transformers.cache_utils import Cache
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from speechzoo.errors import SetupError
from speechzoo_echox.checkpoint import ECHO_PREFIX, Checkpoint
from speechzoo_echox.prompt import SpecialTokens
from speechzoo_echox.tensors import fill

_HEAD_DIM = 64
# Meant to be the beginning-of-text token, 128000; written so in the training code, too.
_TRAINED_TYPO = 12_800


class EchoDecoder(nn.Module):
    """States of a segment in, unit tokens out.

    Its table of tokens is the LLM's and, behind it, the units'; both are as wide as the LLM. Attributes
    are called as the checkpoint's keys are.

    Args:
        config: of the small Llama, which is as wide as its own states are.
        hidden: of the LLM.
        feed_forward: of the LLM.
        vocabulary: of the LLM.
        units: unit tokens.
        tokens: of the prompt's format.
    """

    def __init__(
        self,
        config: LlamaConfig,
        hidden: int,
        feed_forward: int,
        vocabulary: int,
        units: int,
        tokens: SpecialTokens,
    ) -> None:
        super().__init__()
        self.model = LlamaModel(config)
        self.model.embed_tokens = nn.Embedding(vocabulary, hidden)
        self.unit_embedding = nn.Linear(hidden, units, bias=False)
        self.adapter = nn.Linear(hidden, config.hidden_size)
        self.lm_head = nn.Linear(config.hidden_size, vocabulary + units, bias=False)
        self.aligner_MLP = nn.Sequential(
            nn.Linear(hidden, feed_forward), nn.ReLU(), nn.Dropout(0.1), nn.Linear(feed_forward, hidden)
        )
        self.vocabulary = vocabulary
        header = [
            tokens.start_header,
            tokens.bos,
            tokens.speaker,
            tokens.end_header,
            tokens.bos,
            tokens.newline,
        ]
        self.before = [*header, _TRAINED_TYPO if vocabulary > _TRAINED_TYPO else tokens.bos]
        self.after = [tokens.end_of_turn, *header]
        self.end_id = tokens.end_of_turn

    @classmethod
    def of(
        cls, checkpoint: Checkpoint, tokens: SpecialTokens, dtype: torch.dtype, device: torch.device
    ) -> "EchoDecoder":
        """Sizes come from the weights, as config.json does not always tell them."""
        config = _config(checkpoint)
        with torch.device("meta"):
            decoder = cls(
                config,
                checkpoint.llama.hidden_size,
                checkpoint.llama.intermediate_size,
                checkpoint.vocabulary,
                checkpoint.units,
                tokens,
            )
        tensors = checkpoint.tensors.part(ECHO_PREFIX, dtype, device)
        fill(decoder, tensors, f"the echo decoder in {checkpoint.folder}")
        # Its frequencies are computed, not stored, and on the meta device they were not.
        decoder.model.rotary_emb = LlamaRotaryEmbedding(config).to(device)
        return decoder

    def prompt(self, segment: Sequence[Tensor] | Tensor) -> Tensor:
        """The whole prompt, [n + 14, width], of a segment's states, [n, hidden]; n may be 1."""
        states = torch.stack(list(segment))
        around = [self._rows(ids, states.device) for ids in (self.before, self.after)]
        given: Tensor = self.adapter(torch.cat([around[0], self.aligner_MLP(states), around[1]]))
        return given

    def embed(self, ids: Tensor) -> Tensor:
        """[..., width] of ids of text or units, [...]."""
        text = self.model.embed_tokens(ids.clamp(max=self.vocabulary - 1))
        unit = self.unit_embedding.weight[(ids - self.vocabulary).clamp(min=0)]
        embedded: Tensor = self.adapter(torch.where((ids < self.vocabulary)[..., None], text, unit))
        return embedded

    def states(
        self, embeddings: Tensor, mask: Tensor | None, positions: Tensor, cache: Cache | None
    ) -> tuple[Tensor, Cache]:
        """States after the final norm, [rows, new, width], and the grown cache."""
        output = self.model(
            inputs_embeds=embeddings,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
        )
        return output.last_hidden_state, output.past_key_values

    def head(self, states: Tensor) -> Tensor:
        """Next-token logits, [..., vocabulary + units], of states, [..., width]."""
        logits: Tensor = self.lm_head(states)
        return logits

    def _rows(self, ids: list[int], device: torch.device) -> Tensor:
        rows: Tensor = self.model.embed_tokens(torch.tensor(ids, device=device))
        return rows


def _config(checkpoint: Checkpoint) -> LlamaConfig:
    """As the LLM's, but for what the shapes of the weights say."""
    shapes = {
        name.removeprefix(ECHO_PREFIX): shape
        for name, shape in checkpoint.tensors.shapes.items()
        if name.startswith(ECHO_PREFIX)
    }
    layers = {name.split(".")[2] for name in shapes if name.startswith("model.layers.")}
    first = "model.layers.0."
    needed = ["adapter.weight", f"{first}mlp.gate_proj.weight", f"{first}self_attn.q_proj.weight"]
    needed += [f"{first}self_attn.k_proj.weight", "aligner_MLP.0.weight"]
    if absent := [name for name in needed if name not in shapes]:
        raise SetupError(
            f"the echo decoder in {checkpoint.folder} lacks {', '.join(absent)}: it was saved at another "
            f"stage of training (unit_output is {checkpoint.config['unit_output']!r})"
        )
    width = shapes["adapter.weight"][0]
    head_dim = _head_dim(checkpoint, width)
    queries, keys = shapes[needed[2]][0], shapes[needed[3]][0]
    if queries % head_dim or keys % head_dim:
        raise SetupError(
            f"the echo decoder in {checkpoint.folder} has {queries} query and {keys} key rows, which are no "
            f"whole heads of {head_dim}; set unit_head_dim in config.json"
        )
    llama = checkpoint.llama.to_dict()
    return LlamaConfig(
        **{
            **{key: llama[key] for key in ("rms_norm_eps", "rope_parameters", "hidden_act")},
            "vocab_size": 1,
            "hidden_size": width,
            "intermediate_size": shapes[needed[1]][0],
            "num_hidden_layers": len(layers),
            "num_attention_heads": queries // head_dim,
            "num_key_value_heads": keys // head_dim,
            "head_dim": head_dim,
            "attention_bias": llama["attention_bias"],
            "mlp_bias": llama["mlp_bias"],
            "max_position_embeddings": llama["max_position_embeddings"],
            "tie_word_embeddings": False,
            "bos_token_id": None,
            "eos_token_id": None,
            "attn_implementation": checkpoint.attention or None,
        }
    )


def _head_dim(checkpoint: Checkpoint, width: int) -> int:
    """The weights do not tell it: 64 in all published sizes, the LLM's in the size ``large``."""
    if (told := checkpoint.config.get("unit_head_dim")) is not None:
        return int(told)
    if checkpoint.config.get("unit_model") == "large" or width % _HEAD_DIM:
        return int(checkpoint.llama.head_dim or _HEAD_DIM)
    return _HEAD_DIM
