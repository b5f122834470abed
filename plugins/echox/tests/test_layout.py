"""Checkpoints as they may come: what loads, and how what cannot be loaded is told."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from speechzoo_echox.audio_adapter import AudioAdapter
from speechzoo_echox.echo_decoder import EchoDecoder
from speechzoo_echox.echox import EchoX
from transformers import LlamaConfig, LlamaForCausalLM, WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from speechzoo import ScoreAsk, Setup, loading, user
from speechzoo.catalogue import open_catalogue
from speechzoo.errors import SetupError, SpeechzooError
from speechzoo.lm import memory

SHARD = "model-00002-of-00002.safetensors"


def change_json(path, **changes):
    content = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def change_tensors(folder, change):
    tensors = {}
    for path in sorted(folder.glob("model-*.safetensors")):
        tensors |= load_file(path)
        path.unlink()
    (folder / "model.safetensors.index.json").unlink()
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def without(folder, name):
    change_tensors(folder, lambda tensors: tensors.pop(name))


def cut(path):
    path.write_bytes(path.read_bytes()[:-1000])


def rename_token(folder, name):
    path = folder / "tokenizer.json"
    path.write_text(path.read_text().replace(name, "<|other|>"))


@pytest.fixture
def own(folder, tmp_path):
    """A copy to be spoilt."""
    shutil.copytree(folder, tmp_path / "own")
    return tmp_path / "own"


BROKEN = {
    "no config": (lambda f: (f / "config.json").unlink(), "config.json is missing"),
    "text only": (lambda f: change_json(f / "config.json", unit_output=None), "lacks unit_output"),
    "no ears": (lambda f: change_json(f / "config.json", adapter_size=None), "lacks adapter_size"),
    "shard missing": (lambda f: (f / SHARD).unlink(), "00002.safetensors is missing"),
    "shard cut": (lambda f: cut(f / SHARD), "no whole safetensors file"),
    "tensor missing": (lambda f: without(f, "model.norm.weight"), "missing norm.weight|missing model.norm"),
    "adapter missing": (lambda f: without(f, "model.out_norm.bias"), "missing out_norm.bias"),
    "aligner missing": (
        lambda f: change_tensors(
            f, lambda t: [t.pop(k) for k in list(t) if k.startswith("unit_translator.aligner_MLP")]
        ),
        "another stage of training",
    ),
    "tensor unknown": (
        lambda f: change_tensors(f, lambda t: t.update({"model.lora_A.weight": torch.zeros(1)})),
        "no place for.*model.lora_A.weight",
    ),
    "unknown in a layer": (
        lambda f: change_tensors(f, lambda t: t.update({"model.layers.7.x": torch.zeros(1)})),
        "unknown model.layers.7.x",
    ),
    "other shape": (
        lambda f: change_tensors(f, lambda t: t.update({"model.out_norm.bias": torch.zeros(3)})),
        r"out_norm.bias is \[3\], expected \[64\]",
    ),
    "head missing": (lambda f: without(f, "lm_head.weight"), "does not say tie_word_embeddings"),
    "vocabulary": (lambda f: change_json(f / "config.json", vocab_size=268), "has 267 rows"),
    "units": (lambda f: change_json(f / "config.json", unit_vocab_size=41), "has 40 rows"),
    "adapter size": (lambda f: change_json(f / "config.json", adapter_size=20), "twice adapter_size"),
    "head dim": (lambda f: change_json(f / "config.json", unit_head_dim=48), "no whole heads of 48"),
    "no audio token": (lambda f: rename_token(f, "<audio_patch>"), "no <audio_patch>"),
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), "tokenizer.json is missing"),
    "no whisper": (lambda f: shutil.rmtree(f / "whisper-large-v3"), "set whisper=whisper-encoder@FOLDER"),
    "whisper's bands": (
        lambda f: change_json(f / "whisper-large-v3" / "preprocessor_config.json", feature_size=80),
        "makes 80 mel bands",
    ),
    "no vocoder": (lambda f: (f / "g_00500000").unlink(), "g_00500000 is missing"),
    "vocoder cut": (lambda f: cut(f / "g_00500000"), "is damaged"),
    "other vocoder": (lambda f: change_json(f / "vocoder_config.json", f0=True), "another kind"),
    "vocoder's rates": (
        lambda f: change_json(f / "vocoder_config.json", code_hop_size=256),
        "make 320 samples of a frame",
    ),
    "other durations": (
        lambda f: change_json(f / "vocoder_config.json", dur_predictor_params={"kernel": 3}),
        "dur_predictor_params are not",
    ),
    "vocoder's durations": (
        lambda f: change_json(f / "vocoder_config.json", dur_predictor_params=None),
        "lacks dur_predictor_params",
    ),
}


@pytest.mark.parametrize("what", list(BROKEN))
def test_what_differs_is_named_before_anything_is_asked(own, what):
    """Published files have not been seen by these tests: whoever loads them must learn what differs."""
    spoil, message = BROKEN[what]
    spoil(own)
    with pytest.raises(SetupError, match=message):
        EchoX(Setup("spoilt", own))


@pytest.mark.parametrize(
    ("sizes", "echo", "tensors", "billions"),
    [
        ((4096, 14336, 32, 32, False), (768, 8, 12), 396, 9.61),
        ((3072, 8192, 28, 24, True), (512, 6, 8), 341, 4.29),
    ],
    ids=["8B", "3B"],
)
def test_modules_have_as_many_tensors_as_the_published_indexes(echox, sizes, echo, tensors, billions):
    """Counts deduced from the sizes of published files: a module too many or few would not load them."""
    hidden, feed_forward, layers, heads, tied = sizes
    width, echo_layers, echo_heads = echo
    vocabulary, units = 128_257, 8_000
    llama = {"hidden_size": hidden, "intermediate_size": feed_forward, "num_hidden_layers": layers}
    llama |= {"num_attention_heads": heads, "num_key_value_heads": 8, "vocab_size": vocabulary}
    small = {"hidden_size": width, "intermediate_size": 2048, "num_hidden_layers": echo_layers}
    small |= {"num_attention_heads": echo_heads, "num_key_value_heads": echo_heads, "vocab_size": 1}
    with torch.device("meta"):
        parts = (
            LlamaForCausalLM(LlamaConfig(**llama)),
            AudioAdapter(1280, hidden, heads, vocabulary),
            EchoDecoder(LlamaConfig(**small), hidden, feed_forward, vocabulary, units, echox._lm.tokens),
        )
    stored = [
        t
        for part in parts
        for name, t in part.state_dict().items()
        if not tied or name != "lm_head.weight" or part is not parts[0]
    ]
    assert len(stored) == tensors
    assert sum(tensor.numel() for tensor in stored) / 1e9 == pytest.approx(billions, abs=0.01)


def test_another_whisper_is_refused(own, tmp_path):
    """The large models differ in mel bands: the second one's hears, and hears noise."""
    config = WhisperConfig(d_model=1280, num_mel_bins=80)
    config.save_pretrained(own / "whisper-large-v3")
    change_json(own / "config.json", adapter_size=1280)
    change_tensors(own, lambda t: t.update({"model.mm_projector1.weight": torch.zeros(64, 2560)}))
    with pytest.raises(SetupError, match="not whisper-large-v3"):
        EchoX(Setup("v2", own))


def test_what_is_only_likely_is_warned_of(own, caplog):
    """A tokenizer of another size is no fault by itself, but the first thing to look at."""
    change_json(own / "tokenizer_config.json", pad_token="<|end_of_text|>")
    tokenizer = json.loads((own / "tokenizer.json").read_text())
    tokenizer["added_tokens"] = tokenizer["added_tokens"][:-1]
    (own / "tokenizer.json").write_text(json.dumps(tokenizer))
    EchoX(Setup("odd", own))
    assert "has 306 tokens" in caplog.text
    assert "ids [267, 306] should be unit tokens" in caplog.text
    assert "ends of turns are not masked" in caplog.text


def test_a_single_file_loads(own):
    """Checkpoints that were saved again are often one file, without an index."""
    ask = ScoreAsk((user("Once there was"),), (" an end",))
    [sharded] = EchoX(Setup("sharded", own)).score([ask])
    change_tensors(own, lambda tensors: None)
    [single] = EchoX(Setup("single", own)).score([ask])
    assert single.scores == sharded.scores and single.scores[0].tokens


def test_whisper_may_lie_elsewhere_and_is_part_of_the_fingerprint(own, tmp_path):
    """Whisper is 3 GB: who has it already should not have to copy it, and another one is another model."""
    (own / "whisper-large-v3").rename(tmp_path / "ears")
    name, ears = f"echox@{own}", f"whisper-encoder@{tmp_path / 'ears'}"
    component = open_catalogue().model(name, {"whisper": ears})
    assert loading.load(component)._lm.ears.whisper.folder == tmp_path / "ears"
    before = component.identity()["parts"]["whisper"]["revision"]
    change_json(tmp_path / "ears" / "config.json", dropout=0.5)
    after = open_catalogue().model(name, {"whisper": ears}).identity()["parts"]["whisper"]["revision"]
    assert before and after and before != after
    with pytest.raises(SpeechzooError, match="neither a folder nor the id"):
        open_catalogue().model(name, {"whisper": "whisper-encoder@nowhere"})


def test_whisper_inside_the_folder_is_part_of_the_fingerprint(own):
    """The folder is hashed with all it holds: no part has to be named for that."""
    before = open_catalogue().model(f"echox@{own}").identity()
    change_json(own / "whisper-large-v3" / "config.json", dropout=0.5)
    after = open_catalogue().model(f"echox@{own}").identity()
    assert before["parts"] == {} and before["revision"] != after["revision"]


def test_another_width_of_whisper_is_refused(own, tmp_path):
    """Whisper's sizes differ in width: a small one would end in an error about shapes."""
    config = WhisperConfig(d_model=32, encoder_layers=1, encoder_attention_heads=2, num_mel_bins=128)
    config.save_pretrained(own / "whisper-large-v3")
    save_file(
        {f"model.encoder.{n}": t.contiguous() for n, t in WhisperEncoder(config).state_dict().items()},
        own / "whisper-large-v3" / "model.safetensors",
    )
    with pytest.raises(SetupError, match="is 32 wide, EchoX was trained with one of 16"):
        EchoX(Setup("narrow", own))


def test_the_registered_models_name_their_ears():
    """Without the part, fetching echox-8b would bring a model that cannot hear."""
    catalogue = open_catalogue()
    for name, base in {"echox": "llama-3.1-8b-instruct", "echox-3b": "llama-3.2-3b-instruct"}.items():
        component = catalogue.model(name)
        assert [part.name for part in component.whole()][1:] == ["whisper-large-v3"]
        assert catalogue.model(component.entry.base).name == base


def test_the_attention_backend_is_that_of_all_parts(folder):
    """A backend that is not heeded would be reported, and another one measured."""
    echox = EchoX(Setup("eager", folder, attention="eager"))
    modules = (echox._lm.model, echox._speaker.echo.model, echox._lm.ears.whisper.encoder)
    assert [module.config._attn_implementation for module in modules] == ["eager"] * 3
    with pytest.raises(SetupError, match=r"with --attention nonsense.*it can with: sdpa, eager"):
        EchoX(Setup("nonsense", folder, attention="nonsense"))


def test_weights_that_do_not_fit_are_told_before_they_are_read(folder, monkeypatch):
    """19 GB read into 16 would end in a killed process, minutes later and without a word."""
    monkeypatch.setattr(memory, "free_memory", lambda device: memory.Memory("this machine", 1_000_000, 1))
    with pytest.raises(SetupError, match=r"large needs about 0.0 GB for its weights in float32"):
        EchoX(Setup("large", folder))


def test_a_device_map_is_refused(folder):
    """A model silently put on one device would run out of memory, or be slower than it was meant to be."""
    with pytest.raises(SetupError, match="leave out --device-map auto"):
        EchoX(Setup("spread", folder, device="cuda", device_map="auto"))


def test_a_folder_can_be_named_on_the_command_line(folder):
    """The only way to a checkpoint that no registry names."""
    component = open_catalogue().model(f"echox@{folder}", {"temperature": "0.2"})
    echox = loading.load(component)
    assert echox._lm.name == f"echox@{folder}"
    echox.close()
