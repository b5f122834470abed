"""A stand-in for the authors' package and a folder for it: same names, arguments and outcomes.

None of the authors' code is in it, and nothing learnt from it says what the published weights score.
"""

from pathlib import Path

import pytest
import torch
from speechzoo_kimi_audio.kimi_audio import KimiAudioModel

from speechzoo import Setup, testing

CODE = Path(__file__).parent / "authors_code"


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """The model is so small that threads cost more than they bring."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def code() -> str:
    return str(CODE)


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("kimi-audio-stand-in")
    (folder / "glm-4-voice-tokenizer").mkdir()
    (folder / "glm-4-voice-tokenizer" / "config.json").write_text("{}")
    return folder


@pytest.fixture(scope="session")
def setup(folder):
    """The stand-in knows no card: that one is named is what the adapter wants."""

    def made(seed: int = 0, **changes) -> Setup:
        given = {"device": "cuda", "dtype": "bfloat16", "trust_remote_code": True, "folder": folder}
        return Setup("stand-in", seed=seed, **(given | changes))

    return made


@pytest.fixture(scope="session")
def model(setup, code):
    return KimiAudioModel(setup(), code)


@pytest.fixture(scope="session")
def noise():
    return testing.noise
