"""A stand-in for a published checkpoint: the same files, names and quirks, with tiny random weights.

No published code is in it, and nothing learnt from it says what the published weights score.
"""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from speechzoo import AudioClip, Setup
from speechzoo.testing import noise

CODE = Path(__file__).parent / "stand_in"
TAGS = (
    "audio_start",
    "audio_end",
    "audio_pad",
    "audio_delim",
    "audiotext_start",
    "audiotext_end",
    "audiotext_pad",
    "audiogen_start",
    "audiogen_end",
)
ROLES = ("<B_SYS>", "<C_Q>", "<C_A>")
MEL = 16
CODEBOOKS = [32, 16, 8, 8, 8, 8, 8, 8]


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """The models are so small that threads cost more than they bring."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("baichuan-audio-stand-in")
    build(folder)
    return folder


@pytest.fixture
def copied(folder, tmp_path) -> Path:
    """One to break."""
    return shutil.copytree(folder, tmp_path / "broken")


@pytest.fixture(scope="session")
def setup(folder) -> Setup:
    return Setup("stand-in", folder, trust_remote_code=True)


@pytest.fixture(scope="session")
def clips() -> list[AudioClip]:
    """The first has an odd number of frames: its last one hears padding; the last has two segments."""
    return [noise(0.62), noise(1.3), noise(31.7)]


def build(folder: Path) -> None:
    for file in CODE.glob("*.py"):
        shutil.copy(file, folder)
    tokenizer = tokenizer_of(*(f"<{tag}_baichuan>" for tag in TAGS), *ROLES)
    tokenizer.save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps(config_of(tokenizer)))
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": tokenizer.eos_token_id}))
    config = AutoConfig.from_pretrained(folder, trust_remote_code=True)
    model = AutoModelForCausalLM.from_config(config, trust_remote_code=True)
    state = model.state_dict()
    for name, weight in state.items():
        # With the usual 0.02, audio, masks and positions would hardly show.
        if (weight.dim() > 1 and "positional" not in name) or name.endswith("bias"):
            weight.normal_(std=0.2, generator=torch.Generator().manual_seed(weight.numel()))
        # A recording at 8 kHz lacks the upper bands: trained models do not take it for other speech.
        if name.endswith("conv1.weight"):
            weight[:, MEL // 2 :] = 0
        # As in the published encoder, padding is not silence to the frame before it: plainly so here.
        if name.endswith("conv1.bias"):
            weight += 2
    save_file({name: weight.contiguous() for name, weight in state.items()}, folder / "model.safetensors")


def tokenizer_of(*special: str) -> PreTrainedTokenizerFast:
    """The 256 bytes and special tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={symbol: i for i, symbol in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in ("<|endoftext|>", *special)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|endoftext|>", pad_token="<|endoftext|>"
    )


def config_of(tokenizer: PreTrainedTokenizerFast) -> dict:
    """The ids that end and pad are leftovers, as in the published files."""
    ids = {f"{tag}_token_id": tokenizer.convert_tokens_to_ids(f"<{tag}_baichuan>") for tag in TAGS}
    return {
        "model_type": "omni",
        "architectures": ["OmniForCausalLM"],
        "auto_map": {
            "AutoConfig": "configuration_omni.OmniConfig",
            "AutoModelForCausalLM": "modeling_omni.OmniForCausalLM",
        },
        "vocab_size": len(tokenizer),
        "use_cache": False,
        "eos_token_id": 2,
        "bos_token_id": 1,
        "pad_token_id": 0,
        "audio_config": {
            **ids,
            "sampling_rate": 16_000,
            "num_mel_bins": MEL,
            "n_fft": 400,
            "hop_length": 160,
            "max_audio_seconds": 30,
            "d_model": 16,
            "kernel_size": 3,
            "stride_size": 2,
            "avg_pooler": 4,
            "vq_config": {"codebook_sizes": CODEBOOKS},
        },
    }
