"""A stand-in for the published modeling_omni.py: the same classes, calls and quirks, tiny and on a CPU."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPast, ModelOutput

from .configuration_omni import OmniConfig
from .processor_omni import OmniMMProcessor


class OmniPreTrainedModel(PreTrainedModel):  # without GenerationMixin
    config_class = OmniConfig
    base_model_prefix = "model"
    _no_split_modules = ("DecoderLayer",)

    def _init_weights(self, module):
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Embedding):
            module.weight.data.normal_(std=0.02)


class RMSNorm(nn.Module):
    def __init__(self, size, eps=1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, states):
        scale = torch.rsqrt(states.float().square().mean(-1, keepdim=True) + self.eps)
        return self.weight * (states * scale).to(self.weight.dtype)


def turned(states, positions, theta):
    """Rotary positions; states are [rows, heads, tokens, size]."""
    size = states.shape[-1]
    speeds = theta ** (-torch.arange(0, size, 2, device=states.device).float() / size)
    angles = (positions[:, None, :, None] * speeds).repeat(1, 1, 1, 2)
    one, other = states.float().chunk(2, dim=-1)
    return (states.float() * angles.cos() + torch.cat([-other, one], -1) * angles.sin()).to(states.dtype)


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.sizes = [
            n * config.head_dim for n in (config.num_attention_heads, *[config.num_key_value_heads] * 2)
        ]
        self.W_pack = nn.Linear(config.hidden_size, sum(self.sizes), bias=True)
        self.o_proj = nn.Linear(self.sizes[0], config.hidden_size, bias=False)

    def forward(self, states, mask, positions, past):
        rows, tokens, _ = states.shape
        packed = self.W_pack(states).split(self.sizes, dim=-1)
        query, key, value = (p.view(rows, tokens, -1, self.config.head_dim).transpose(1, 2) for p in packed)
        query, key = (turned(p, positions, self.config.rope_theta) for p in (query, key))
        if past is not None:
            key, value = torch.cat([past[0], key], dim=2), torch.cat([past[1], value], dim=2)
        groups = query.shape[1] // key.shape[1]
        seen, told = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
        made = F.scaled_dot_product_attention(query, seen, told, attn_mask=mask)
        return self.o_proj(made.transpose(1, 2).reshape(rows, tokens, -1)), (key, value)


class DecoderLayer(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.self_attn = Attention(config)
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(self, states, mask, positions, past):
        heard, grown = self.self_attn(self.input_layernorm(states), mask, positions, past)
        states = states + heard
        normed = self.post_attention_layernorm(states)
        return states + self.down_proj(F.silu(self.gate_proj(normed)) * self.up_proj(normed)), grown


class OmniModel(OmniPreTrainedModel):
    def __init__(self, config):
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size, config.pad_token_id)
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        sizes = config.audio_config.vq_config.codebook_sizes
        self.audio_embed_layers = nn.ModuleList(nn.Embedding(size + 1, config.hidden_size) for size in sizes)
        self.post_init()

    def get_input_embeddings(self):
        return self.embed_tokens

    def _embedded(self, input_ids, audios_tokens):
        states = self.embed_tokens(input_ids)
        places = input_ids == self.config.audio_config.audio_pad_token_id
        if audios_tokens is None:
            assert places.sum() <= 0
            return states
        heard = sum(table(audios_tokens[..., i]) for i, table in enumerate(self.audio_embed_layers))
        assert places.sum() == heard.shape[0]
        return states.masked_scatter(places[..., None], heard.to(states.dtype))

    def forward(
        self,
        input_ids=None,
        attention_mask=None,
        position_ids=None,
        seqlens=None,
        past_key_values=None,
        inputs_embeds=None,
        audios_tokens=None,
        use_cache=None,
        output_attentions=None,
        output_hidden_states=None,
        return_dict=None,
    ):
        use_cache = self.config.use_cache if use_cache is None else use_cache
        states = self._embedded(input_ids, audios_tokens) if inputs_embeds is None else inputs_embeds
        rows, tokens, _ = states.shape
        before = 0 if past_key_values is None else past_key_values[0][0].shape[2]
        if position_ids is None:
            position_ids = torch.arange(before, before + tokens, device=states.device)[None]
        if attention_mask is None:
            attention_mask = torch.ones(rows, before + tokens, dtype=torch.bool, device=states.device)
        earlier = torch.ones(tokens, before + tokens, dtype=torch.bool, device=states.device).tril(before)
        allowed = earlier[None, None] & attention_mask.bool()[:, None, None]
        lowest = torch.finfo(states.dtype).min
        mask = torch.zeros(allowed.shape, dtype=states.dtype, device=states.device).masked_fill(
            ~allowed, lowest
        )
        grown = ()
        for place, layer in enumerate(self.layers):
            past = None if past_key_values is None else past_key_values[place]
            states, pair = layer(states, mask, position_ids, past)
            grown += (pair,)
        states = self.norm(states)
        return BaseModelOutputWithPast(last_hidden_state=states, past_key_values=grown if use_cache else None)


class OmniAudioEncoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        size = config.d_model
        self.conv1 = nn.Conv1d(config.num_mel_bins, size, config.kernel_size, padding=1)
        self.conv2 = nn.Conv1d(size, size, config.kernel_size, stride=config.stride_size, padding=1)
        longest = config.max_audio_seconds * config.sampling_rate // config.hop_length // config.stride_size
        speeds = torch.exp(-torch.arange(size // 2) * 9.2 / (size // 2))
        angles = torch.arange(longest)[:, None] * speeds
        self.register_buffer("positional_embedding", torch.cat([angles.sin(), angles.cos()], dim=1))
        self.attention = nn.Linear(size, 3 * size)
        self.layer_norm = nn.LayerNorm(size)

    def forward(self, audios, encoder_length):
        states = F.gelu(self.conv1(audios.to(self.conv1.weight.dtype)))
        states = F.gelu(self.conv2(states)).transpose(1, 2)
        states = states + self.positional_embedding[: states.shape[1]].to(states.dtype)
        real = torch.arange(states.shape[1], device=states.device) < encoder_length[:, None]
        query, key, value = self.attention(states).chunk(3, dim=-1)
        states = states + F.scaled_dot_product_attention(query, key, value, attn_mask=real[:, None])
        return self.layer_norm(states).masked_fill(~real[..., None], 0)


class OmniAudioVQBridgeTokenizer(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.pooled = config.audio_config.avg_pooler
        size = config.audio_config.d_model * self.pooled
        self.gate_proj = nn.Linear(size, size, bias=False)
        self.layer_norm = nn.LayerNorm(size)
        for place, count in enumerate(config.audio_config.vq_config.codebook_sizes):
            self.register_buffer(f"codebook_{place}", torch.zeros(count, size))

    def forward(self, states, bridge_length):
        states = F.pad(states, (0, 0, 0, -states.shape[1] % self.pooled))
        stacked = states.reshape(len(states), -1, states.shape[2] * self.pooled)
        rest = self.layer_norm(stacked + F.silu(self.gate_proj(stacked))).float()
        codes = []
        for _, codebook in self.named_buffers():
            codes.append(torch.cdist(rest, codebook.float()[None]).argmin(-1))
            rest = rest - codebook.float()[codes[-1]]
        real = torch.arange(rest.shape[1], device=rest.device) < bridge_length[:, None]
        return torch.stack(codes, -1)[real]


class OmniAudioTokenizer(OmniPreTrainedModel):
    def __init__(self, config):
        super().__init__(config)
        self.audio_model = OmniAudioEncoder(config.audio_config)
        self.audio_bridge_model = OmniAudioVQBridgeTokenizer(config)

    @torch.no_grad()
    def forward(self, audios, encoder_length=None, bridge_length=None):
        return self.audio_bridge_model(self.audio_model(audios, encoder_length), bridge_length)


@dataclass
class OmniMMCausalLMOutputWithPast(ModelOutput):
    loss: torch.Tensor | None = None
    logits: torch.Tensor | None = None
    past_key_values: tuple | None = None
    audios_emb_for_infer: torch.Tensor | None = None


class OmniForCausalLM(OmniPreTrainedModel):
    def __init__(self, config):
        super().__init__(config)
        self.model = OmniModel(config)
        self.audio_tokenizer = OmniAudioTokenizer(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def get_input_embeddings(self):
        return self.model.embed_tokens

    def bind_processor(self, tokenizer, **kwargs):
        self.processor = OmniMMProcessor(tokenizer=tokenizer, config=self.config, **kwargs)
        return self.processor

    def forward(
        self,
        input_ids=None,
        attention_mask=None,
        position_ids=None,
        seqlens=None,
        past_key_values=None,
        inputs_embeds=None,
        labels=None,  # ignored
        audios=None,
        audios_tokens=None,
        encoder_length=None,
        bridge_length=None,
        use_cache=None,
        output_attentions=None,
        output_hidden_states=None,
        return_dict=None,
    ):
        if audios_tokens is None and audios is not None:
            audios_tokens = self.audio_tokenizer(audios, encoder_length, bridge_length)
        outputs = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            audios_tokens=audios_tokens,
            use_cache=use_cache,
            return_dict=return_dict,
        )
        states = outputs.last_hidden_state
        return OmniMMCausalLMOutputWithPast(
            logits=self.lm_head(states),
            past_key_values=outputs.past_key_values,
            audios_emb_for_infer=states[:, -1],
        )
