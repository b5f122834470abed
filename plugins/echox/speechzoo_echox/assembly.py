"""A checkpoint in EchoX's layout, put together of SmolLM2, Whisper tiny and modules trained between the two.

checkpoint.py is what reads it.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from speechzoo import Setup
from speechzoo.lm import gguf, load_model
from speechzoo_echox import converted_whisper
from speechzoo_echox.checkpoint import AUDIO_KEYS, ECHO_PREFIX
from speechzoo_echox.echo_decoder import EchoDecoder
from speechzoo_echox.prompt import SpecialTokens
from speechzoo_echox.vocoder import Vocoder

TRAINED = "trained.safetensors"
"""In a folder of parts: the audio modules but for their head, and what the names below tell."""

HEAD = "model.audio_feature_head.weight"
PLACES = "places"
"""Which of the layout's labels, one for each of the LLM's tokens, are in use, [labels]; the blank's first."""
SPELLED = "spelled"
"""The tokens whose vectors the head of those labels is made of, [labels]."""
LLM, WHISPER = "low_rank.llm.", "low_rank.whisper."
"""What these two learned, if anything: ``low_rank.llm.M.up`` @ ``low_rank.llm.M.down`` comes to the weight of
the LLM's module M."""

EARS = "whisper-large-v3"
"""The layout's name of the folder of Whisper, be it large or not."""

AUDIO = "model-00002-of-00002.safetensors"
REST = "model-00001-of-00002.safetensors"
# SmolLM2's special tokens that take the places of those of EchoX's format. The first three mean the same.
_RENAMED = {
    "<|endoftext|>": "<|begin_of_text|>",
    "<|im_start|>": "<|start_header_id|>",
    "<|im_end|>": "<|eot_id|>",
    "<repo_name>": "<|end_header_id|>",
    "<file_sep>": "<|end_of_text|>",
    "<filename>": "<|eom_id|>",
    "<empty_output>": "<audio_patch>",
}
# Its place takes the word of the echo decoder's prompt that has to be one token.
_SPARE = "<gh_stars>"
_UNITS = ("▁0", "▁1")
_ECHO_WIDTH = 64
_VOCODER: dict[str, Any] = {
    "resblock": "1",
    "upsample_rates": [5, 4, 4, 2, 2],
    "upsample_kernel_sizes": [11, 8, 8, 4, 4],
    "upsample_initial_channel": 32,
    "resblock_kernel_sizes": [3],
    "resblock_dilation_sizes": [[1, 3, 5]],
    "num_embeddings": 2,
    "embedding_dim": 16,
    "model_in_dim": 16,
    "code_hop_size": 320,
    "f0": False,
    "sampling_rate": 16_000,
    "dur_predictor_params": {
        "encoder_embed_dim": 16,
        "var_pred_hidden_dim": 16,
        "var_pred_kernel_size": 3,
        "var_pred_dropout": 0.5,
    },
}


def assemble(folder: Path) -> None:
    """Makes a checkpoint of fetched parts, in their place; leaves other folders alone.

    Args:
        folder: ``llm/`` holds SmolLM2 as GGUF, ``whisper/`` Whisper as CTranslate2 reads it, and `TRAINED`
            the audio modules.
    """
    if not (folder / TRAINED).is_file():
        return
    gguf.convert(folder / "llm")
    llm = cast(LlamaForCausalLM, load_model(folder / "llm", Setup(folder.name, folder / "llm")))
    converted_whisper.convert(folder / "whisper" / "model.bin", folder / EARS)
    encoder = converted_whisper.read(folder / EARS)
    trained = load_file(folder / TRAINED)
    _add_low_rank(llm.state_dict(), trained, LLM)
    _add_low_rank(encoder, trained, WHISPER)
    converted_whisper.write(folder / EARS, encoder)
    write_base(folder, folder / "llm", llm)
    audio = {name: own for name, own in trained.items() if name.startswith(AUDIO_KEYS)}
    head = label_head(cast(nn.Embedding, llm.get_input_embeddings()).weight, trained[SPELLED]).detach()
    write_audio(folder, with_whole_head({**audio, HEAD: head}, trained[PLACES], llm.config.vocab_size))
    for part in ("llm", "whisper"):
        shutil.rmtree(folder / part)
    (folder / TRAINED).unlink()


def write_base(folder: Path, llm_home: Path, llm: LlamaForCausalLM) -> None:
    """All but the audio modules and Whisper: the LLM, the tokenizer, and what should speak one day.

    The layout has no checkpoint without an echo decoder and a vocoder. These are as torch starts them, not
    trained: such a model hears, and what it says is noise.

    Args:
        folder: made if it is not there; config.json is written last.
        llm_home: SmolLM2's tokenizer.
        llm: its weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _write_tokenizer(folder, llm_home)
    written = llm.config.to_dict()
    kept = {
        "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "head_dim",
        "num_key_value_heads", "rms_norm_eps", "max_position_embeddings", "vocab_size",
    }  # fmt: skip
    config = {
        "model_type": "EchoX",
        "architectures": ["EchoXForCausalLM"],
        **{key: written[key] for key in sorted(kept)},
        "rope_theta": written["rope_parameters"]["rope_theta"],
        "tie_word_embeddings": True,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "audio_tower": EARS,
        "adapter_size": 384,
        "unit_output": "finetune_kd",
        "unit_vocab_size": len(_UNITS),
    }
    torch.manual_seed(0)
    vocoder = Vocoder(_VOCODER)
    torch.save({"generator": vocoder.state_dict()}, folder / "g_00500000")
    _write_json(folder / "vocoder_config.json", _VOCODER)
    tensors = _language_model(llm) | _echo_decoder(llm, tokenizer)
    save_file(tensors, folder / REST, metadata={"format": "pt"})
    _write_json(folder / "config.json", config)


def write_audio(folder: Path, audio: Mapping[str, Tensor]) -> None:
    """The audio modules, by the layout's names, beside what `write_base` wrote."""
    tensors = {name: tensor.cpu().contiguous() for name, tensor in audio.items()}
    save_file(tensors, folder / AUDIO, metadata={"format": "pt"})
    with safe_open(folder / REST, framework="pt") as file:
        rest = list(file.keys())
    placed = dict.fromkeys(rest, REST) | dict.fromkeys(tensors, AUDIO)
    _write_json(folder / "model.safetensors.index.json", {"metadata": {}, "weight_map": placed})


def label_head(table: Tensor, tokens: Tensor) -> Tensor:
    """A head that is the LLM's own table, [labels, hidden]: moved to the mean of its rows and to unit length.

    Args:
        table: the LLM's vectors of tokens, [vocabulary, hidden].
        tokens: that the rows are of, [labels].
    """
    rows = table[tokens].float()
    return nn.functional.normalize(rows - rows.mean(dim=0), dim=1)


def with_whole_head(audio: Mapping[str, Tensor], places: Tensor, vocabulary: int) -> dict[str, Tensor]:
    """The modules with a row of the head for each of the LLM's tokens, as the layout wants.

    A token that is no label is never the likeliest: its row is the mean of those in use, and scores what they
    score on average.

    Args:
        audio: the modules; the head has a row for each label.
        places: of the labels, [labels], the blank's first.
        vocabulary: the LLM's tokens.
    """
    rows = audio[HEAD].mean(dim=0).repeat(vocabulary, 1)
    rows[places.to(rows.device)] = audio[HEAD]
    return {**audio, HEAD: rows}


@torch.no_grad()
def _add_low_rank(weights: Mapping[str, Tensor], trained: Mapping[str, Tensor], learned: str) -> None:
    """In place."""
    for up in sorted(name for name in trained if name.startswith(learned) and name.endswith(".up")):
        module = up.removesuffix(".up")
        weight = weights[f"{module.removeprefix(learned)}.weight"]
        weight.copy_(weight.float() + trained[up].float() @ trained[f"{module}.down"].float())


def write_language_model(folder: Path, llm: LlamaForCausalLM) -> None:
    """Another LLM in the place of the one that `write_base` wrote."""
    kept = {name: own for name, own in load_file(folder / REST).items() if name.startswith(ECHO_PREFIX)}
    # It may be a link to a file that others share.
    (folder / REST).unlink()
    save_file(_language_model(llm) | kept, folder / REST, metadata={"format": "pt"})


def _language_model(llm: LlamaForCausalLM) -> dict[str, Tensor]:
    """In bfloat16, as SmolLM2's own; the head is its table of tokens."""
    own = {name: tensor for name, tensor in llm.state_dict().items() if name != "lm_head.weight"}
    return {name: tensor.to("cpu", torch.bfloat16).contiguous() for name, tensor in own.items()}


def _write_tokenizer(folder: Path, llm_home: Path) -> PreTrainedTokenizerFast:
    """SmolLM2's, its special tokens under EchoX's names and the units behind it."""
    text = (llm_home / "tokenizer.json").read_text(encoding="utf-8")
    for old, new in _RENAMED.items():
        text = text.replace(json.dumps(old), json.dumps(new))
    content = json.loads(text)
    vocabulary = content["model"]["vocab"]
    _make_one_token(content, "speaker", vocabulary[_SPARE])
    del vocabulary[_SPARE]
    first = len(vocabulary)
    content["added_tokens"] += [
        {"id": first + place, "content": f"<|unit_{piece}|>", "single_word": False, "lstrip": False,
         "rstrip": False, "normalized": False, "special": False}
        for place, piece in enumerate(_UNITS)
    ]  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"),
        bos_token="<|begin_of_text|>",
        eos_token="<|eot_id|>",
        pad_token="<|eot_id|>",
    )  # type: ignore[no-untyped-call]
    tokenizer.save_pretrained(folder)
    return tokenizer


def _make_one_token(content: dict[str, Any], word: str, token: int) -> None:
    """By merges after all others: no text changes but that of words which end in it, as "loudspeaker"."""
    tokenizer = Tokenizer.from_str(json.dumps(content))
    first, *others = tokenizer.encode(word, add_special_tokens=False).tokens
    (second,) = others
    content["added_tokens"] = [own for own in content["added_tokens"] if own["id"] != token]
    content["model"]["vocab"][word] = token
    content["model"]["merges"].append([first, second])


def _echo_decoder(llm: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast) -> dict[str, Tensor]:
    """The smallest that the layout takes."""
    config = LlamaConfig(
        vocab_size=1,
        hidden_size=_ECHO_WIDTH,
        intermediate_size=_ECHO_WIDTH,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
        bos_token_id=None,
        eos_token_id=None,
    )
    hidden, feed_forward = llm.config.hidden_size, llm.config.intermediate_size
    tokens = SpecialTokens.of(tokenizer, llm.config.vocab_size)
    decoder = EchoDecoder(config, hidden, feed_forward, llm.config.vocab_size, len(_UNITS), tokens)
    state = decoder.state_dict()
    return {f"{ECHO_PREFIX}{name}": tensor.bfloat16().contiguous() for name, tensor in state.items()}


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
