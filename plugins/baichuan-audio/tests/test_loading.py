"""What a user reads when a checkpoint, its code or this machine is not as it must be."""

import json
import re

import pytest
from safetensors.torch import load_file, save_file
from speechzoo_baichuan_audio.baichuan_audio import BaichuanAudio

from speechzoo import Setup
from speechzoo.errors import SetupError


def refusal(folder, **options) -> str:
    """What is said; a failure if nothing is refused."""
    with pytest.raises(SetupError) as told:
        BaichuanAudio(Setup("mine", folder, **{"trust_remote_code": True, **options}))
    return str(told.value)


def edit(folder, file: str, old: str, new: str) -> None:
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1))


def edit_config(folder, change) -> None:
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))


def test_nothing_runs_without_leave(copied):
    """Otherwise whoever downloads a checkpoint runs whatever lies in it."""
    ran = copied / "ran"
    for file in copied.glob("*.py"):
        file.write_text(f"open({str(ran)!r}, 'w').close()\n" + file.read_text())
    assert re.search("--trust-remote-code", refusal(copied, trust_remote_code=False))
    assert not ran.exists()


def test_packages_that_the_code_imports_are_named(copied):
    """Otherwise the user has a traceback through a cache folder for an answer."""
    edit(copied, "modeling_omni.py", "import torch\n", "import flash_attn_of_nobody\nimport torch\n")
    assert re.search(r"flash_attn_of_nobody[\s\S]*transformers 4\.45\.0", refusal(copied))


def test_names_that_newer_transformers_lacks_are_told_with_versions(copied):
    """Otherwise nobody thinks of the version."""
    edit(copied, "modeling_omni.py", "import PreTrainedModel", "import PreTrainedModel, NameOfOld")
    assert re.search(r"NameOfOld[\s\S]*here are transformers", refusal(copied))


def test_a_processor_that_misses_torchaudio_is_told(copied):
    """Otherwise the loading ends in an AttributeError of torchaudio."""
    edit(
        copied,
        "processor_omni.py",
        "        self.config = config\n        self.window",
        "        import types\n        types.SimpleNamespace().list_audio_backends()\n"
        "        self.config = config\n        self.window",
    )
    assert re.search(r"processor was bound: AttributeError.*list_audio_backends.*torchaudio", refusal(copied))


def test_a_processor_that_cannot_read_files_is_found_at_once(copied):
    """Otherwise every clip of the run fails by itself."""
    edit(copied, "processor_omni.py", "wave, rate = soundfile.read", "wave, rate = soundfile.no_info")
    assert re.search(r"tried on a second of noise.*audio_not_understood.*torchaudio", refusal(copied))


def test_code_that_cannot_be_continued_is_found_at_once(copied):
    """Otherwise every item of the run fails by itself, after the weights of 20 GB were loaded."""
    edit(copied, "modeling_omni.py", "past[0], key", "past[0], past[0], key")
    assert re.search("tried on a second of noise", refusal(copied))


def test_code_without_what_is_relied_on_is_named(copied):
    """Otherwise a later revision of the code fails somewhere in the middle."""
    edit(copied, "modeling_omni.py", "def bind_processor", "def bind")
    assert re.search("has no bind_processor", refusal(copied))


def test_a_config_without_audio_is_refused(copied):
    """Otherwise the text model of another checkpoint is run as if it could hear."""
    edit_config(copied, lambda config: config.pop("audio_config"))
    assert re.search("has no audio_config", refusal(copied))


def test_missing_token_ids_are_named(copied):
    """Otherwise clips are put where no clip can be."""
    edit_config(copied, lambda config: config["audio_config"].pop("audio_pad_token_id"))
    assert re.search("lacks audio_pad_token_id", refusal(copied))


def test_ids_of_another_release_are_refused(copied):
    """Otherwise audio stands between tokens of something else: ids differ between releases."""
    edit_config(copied, lambda config: config["audio_config"].update(audio_start_token_id=70_000))
    assert re.search("audio_start_token_id is 70000", refusal(copied))


def test_weights_that_are_not_whole_are_refused(copied):
    """Otherwise transformers fills the gap with random weights and a warning."""
    weights = load_file(copied / "model.safetensors")
    del weights["model.norm.weight"]
    save_file(weights, copied / "model.safetensors")
    assert re.search(r"1 tensors have no value.*model\.norm\.weight", refusal(copied))


def test_tensors_that_transformers_leaves_empty_are_refused(copied):
    """Otherwise what the code computes when it is made is memory of something else, without a word."""
    edit(
        copied,
        "modeling_omni.py",
        'self.register_buffer("positional_embedding", torch.cat([angles.sin(), angles.cos()], dim=1))',
        'self.register_buffer("positional_embedding", angles.repeat(1, 2), persistent=False)',
    )
    assert re.search(r"audio_model\.positional_embedding", refusal(copied))


def test_an_attention_that_would_do_nothing_is_refused(copied):
    """Otherwise a run's signature names what was never used."""
    assert re.search("leave --attention out", refusal(copied, attention="eager"))


def test_code_of_another_repository_is_refused(copied):
    """Otherwise leave for the code in a folder is leave for code that nobody looked at."""
    edit_config(copied, lambda config: config["auto_map"].update(AutoConfig="else/where--config.OmniConfig"))
    assert re.search("lies in another repository", refusal(copied))


def test_a_checkpoint_without_code_is_refused(copied):
    """Otherwise a converted checkpoint ends in an error about an unknown model type."""
    edit_config(copied, lambda config: config.pop("auto_map"))
    assert re.search("names no code", refusal(copied))


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path):
    """Otherwise a mistyped path ends in an error of the hub."""
    assert re.search(r"no config\.json", refusal(tmp_path))


def test_parameters_out_of_bounds_are_refused(folder):
    """Otherwise a draw fails at the first reply, or is another than was meant."""
    with pytest.raises(SetupError, match="top_p"):
        BaichuanAudio(Setup("mine", folder, trust_remote_code=True), top_p=0.0)


def test_leftover_end_tokens_do_not_end_replies(copied):
    """Otherwise replies stop at a '#', which is what the leftover in config.json names."""
    (copied / "generation_config.json").unlink()
    model = BaichuanAudio(Setup("mine", copied, trust_remote_code=True))
    assert model._lm.end_ids == [model._lm.tokenizer.eos_token_id]
