"""Models and tokenizers from a folder: attention backend, memory, code of a checkpoint, several devices."""

import json
import math
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch
from transformers import LlamaForCausalLM

from speechzoo import ReplyAsk, ScoreAsk, Setup, lm, raw, user
from speechzoo.errors import SetupError
from speechzoo.lm.loading import _tell_of_offload
from speechzoo.lm.memory import require_memory, weight_bytes, weight_files
from tests.lm.conftest import TinySpeechLM

GB = 10**9


@pytest.fixture(scope="module")
def folder(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    tiny.model.save_pretrained(folder)
    tiny.tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def asks(clip):
    return [
        ScoreAsk(raw("the cat ", clip(200 + 90 * i)), (" sat on", " a moon"), chat=bool(i % 2))
        for i in range(4)
    ]


def totals(answers):
    return [score.log_likelihood for answer in answers for score in answer.scores]


class NoSdpa(LlamaForCausalLM):
    _supports_sdpa = False
    _supports_flex_attn = False


@pytest.mark.parametrize("backend", ["sdpa", "eager"])
def test_the_backend_that_is_asked_for_computes(folder, tiny, asks, backend):
    """Otherwise the signature would name another backend than the one that made the number."""
    loaded = TinySpeechLM.load(Setup("tiny", folder, attention=backend))
    assert loaded.model.config._attn_implementation == backend
    assert totals(lm.score(loaded, asks, 1000)) == pytest.approx(totals(lm.score(tiny, asks, 1000)), abs=1e-4)


@pytest.mark.parametrize(
    ("model_class", "backend", "told"),
    [
        (LlamaForCausalLM, "fast", "on cpu in float32; it can with: sdpa, eager, flex_attention$"),
        (LlamaForCausalLM, "flash_attention_2", r"\(it needs a GPU\); it can with: sdpa, eager"),
        (LlamaForCausalLM, "kernels-community/flash-attn", "it can with: sdpa, eager"),
        (NoSdpa, "sdpa", "with --attention sdpa on cpu in float32; it can with: eager$"),
    ],
)
def test_a_backend_that_is_not_there_is_answered_with_those_that_are(folder, model_class, backend, told):
    """Otherwise: a traceback of transformers, a download of code, or a failure at the first item."""
    with pytest.raises(SetupError, match=told):
        lm.load_model(folder, Setup("tiny", folder, attention=backend), model_class)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_estimate_is_what_the_model_takes(folder, tiny, tmp_path, dtype):
    """Otherwise a model that fits would be refused, or one that does not end in a failed allocation."""
    sharded = tmp_path / "sharded"
    tiny.model.save_pretrained(sharded, max_shard_size="40KB")
    # Some checkpoints hold their weights a second time, in their authors' own layout.
    (sharded / "consolidated.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    taken = sum(weight.numel() for weight in tiny.model.parameters()) * dtype.itemsize
    assert len(weight_files(sharded)) > 2
    assert weight_bytes(weight_files(folder), dtype) == weight_bytes(weight_files(sharded), dtype) == taken


def header(path: Path, **tensors: tuple[str, int, int]) -> Path:
    """A safetensors file that ends where the weights would begin: name to dtype, elements, stored bytes."""
    told = {
        name: {"dtype": dtype, "shape": [count], "data_offsets": [0, stored]}
        for name, (dtype, count, stored) in tensors.items()
    }
    text = json.dumps({"__metadata__": {"format": "pt"}, **told}).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    return path


def test_packed_weights_count_as_they_are_stored(tmp_path):
    """Otherwise a checkpoint of 4 bits would be taken for one of 32, and refused where it fits well."""
    file = header(
        tmp_path / "model.safetensors",
        packed=("I32", 100, 400),
        low=("F8_E4M3", 100, 100),
        norm=("BF16", 10, 20),
    )
    assert weight_bytes([file], torch.float32) == 400 + 100 + 40


@pytest.mark.parametrize(
    ("times", "told"),
    [
        (
            1.5,
            r"big needs about .* GB for its weights in float32, this machine has .*: try --dtype bfloat16$",
        ),
        (9.0, r"big needs about .* GB for its weights in float32, this machine has .* GB free of .* GB$"),
    ],
)
def test_a_model_too_large_for_the_machine_is_refused_before_it_is_read(tmp_path, times, told):
    """Otherwise the machine swaps for an hour, and the operating system ends the run without a word."""
    count = int(psutil.virtual_memory().available * times / 4)
    header(tmp_path / "model.safetensors", big=("BF16", count, 2 * count))
    with pytest.raises(SetupError, match=told):
        lm.load_model(tmp_path, Setup("big", tmp_path))


@pytest.mark.parametrize(
    ("free", "setup", "told"),
    [
        ((16, 2), {"dtype": "float32"}, "38.0 GB .* cuda:0 has 16.0 GB free of 80.0 GB$"),
        ((16, 16), {"dtype": "float32"}, "try --dtype bfloat16 with --device-map auto$"),
        ((16, 40), {"dtype": "float32"}, "try --device-map auto$"),
        ((20, 4), {"dtype": "float32"}, "try --dtype bfloat16$"),
        ((20, 40), {"dtype": "float32"}, "try --dtype bfloat16 or --device-map auto$"),
        ((16, 8), {"dtype": "bfloat16"}, "19.0 GB .* in bfloat16, .*: try --device-map auto$"),
        ((16,), {"dtype": "bfloat16"}, "16.0 GB free of 80.0 GB$"),
        ((16, 8), {"dtype": "float32", "device_map": "auto"}, "all 2 cards .* 24.0 GB .* --dtype bfloat16$"),
        ((8, 8), {"dtype": "bfloat16", "device_map": "auto"}, "all 2 cards together has 16.0 GB"),
        ((20,), {"dtype": "bfloat16"}, None),
        ((12, 8), {"dtype": "bfloat16", "device_map": "auto"}, None),
    ],
)
def test_only_what_would_help_is_advised(tmp_path, monkeypatch, free, setup, told):
    """Otherwise the next try fails as well, after another wait."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(free))
    # Of each card torch itself keeps a gigabyte that it could use.
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda card: ((free[card.index] - 1) * GB, 80 * GB))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda card: 3 * GB)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda card: 2 * GB)
    file = header(tmp_path / "model.safetensors", big=("F32", int(9.5 * GB), 38 * GB))
    asked = Setup("echox-8b", tmp_path, device="cuda:0", **setup)
    if told is None:
        require_memory(asked, [file])
        return
    with pytest.raises(SetupError, match=f"echox-8b needs about .*{told}"):
        require_memory(asked, [file])


@pytest.mark.parametrize(
    "content", [b"", b"version https://git-lfs.github.com/spec/v1\n", b'\x20\0\0\0\0\0\0\0{"a":']
)
def test_a_damaged_file_is_named(folder, tmp_path, content):
    """Otherwise: a traceback of a parser, and a search through forty files."""
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(SetupError, match=r"model\.safetensors is no safetensors file, or cut"):
        lm.load_model(tmp_path, Setup("cut", tmp_path))


def test_files_of_a_later_transformers_are_refused(folder, tmp_path):
    """Otherwise: a model in an older environment loses its rope_theta, and nobody sees why."""
    config = json.loads((folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "transformers_version": "99.1.0"}))
    with pytest.raises(SetupError, match=r"config\.json was written by transformers 99\.1\.0\. Here is"):
        lm.load_model(tmp_path, Setup("new", tmp_path))


def test_an_unknown_model_type_has_its_tokenizer(folder, tiny, tmp_path):
    """Otherwise an adapter of a model that transformers does not know has to load its tokenizer by itself."""
    tiny.tokenizer.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "unheard-of"}')
    tokenizer = lm.load_tokenizer(tmp_path, Setup("odd", tmp_path), clean_up_tokenization_spaces=False)
    known = lm.load_tokenizer(folder, Setup("tiny", folder))
    text = "the cat, a dog!"
    assert tokenizer.encode(text) == known.encode(text)
    assert tokenizer.chat_template == known.chat_template


MODELLING = """
from pathlib import Path
from transformers import LlamaConfig, LlamaForCausalLM
Path({trace!r}).touch()
class OwnConfig(LlamaConfig):
    model_type = "own"
class OwnLM(LlamaForCausalLM):
    config_class = OwnConfig
"""


def test_code_of_a_checkpoint_runs_only_where_it_is_trusted(folder, tiny, tmp_path, monkeypatch):
    """Otherwise: to look at a stranger's checkpoint is to run a stranger's program."""
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    own, trace = tmp_path / "own", tmp_path / "it-ran"
    tiny.model.save_pretrained(own)
    tiny.tokenizer.save_pretrained(own)
    config = json.loads((own / "config.json").read_text())
    code = {"AutoConfig": "modelling.OwnConfig", "AutoModelForCausalLM": "modelling.OwnLM"}
    (own / "config.json").write_text(json.dumps({**config, "model_type": "own", "auto_map": code}))
    (own / "modelling.py").write_text(MODELLING.format(trace=str(trace)))
    setup = Setup("own", own)
    with pytest.raises(SetupError, match=r"own: .*Python code in it would have to run.*remote_code"):
        lm.CausalLM.load(setup)
    assert not trace.exists()
    loaded = lm.CausalLM.load(replace(setup, trust_remote_code=True, attention="eager"))
    assert trace.exists() and type(loaded.model).__name__ == "OwnLM"


def test_a_model_in_pieces_answers_as_in_one(folder, tiny, asks, clip, tmp_path, caplog):
    """Otherwise a model larger than one device gives other numbers, or none."""
    places = {"model.embed_tokens": "cpu", "model.layers.0": "cpu", "model.layers.1": "disk"}
    places |= {"model.norm": "cpu", "model.rotary_emb": "cpu", "lm_head": "disk"}
    model = LlamaForCausalLM.from_pretrained(folder, device_map=places, offload_folder=tmp_path)
    pieces = TinySpeechLM(model, tiny.tokenizer, "pieces")
    assert {weight.device.type for weight in model.parameters()} == {"cpu", "meta"}
    assert pieces.device == torch.device("cpu")
    _tell_of_offload(Setup("pieces", folder), model)
    assert "pieces: parts of it found no room on the cards and stay on cpu and disk" in caplog.text
    found = totals(lm.score(pieces, asks, 1000))
    assert found == pytest.approx(totals(lm.score(tiny, asks, 1000)), abs=1e-5)
    assert math.dist(found[:2], found[2:4]) > 0.1
    replies = [ReplyAsk((user("the ", clip(300 * i)),), max_tokens=5) for i in (1, 2)]
    assert lm.reply(pieces, replies, 1000) == lm.reply(tiny, replies, 1000)
