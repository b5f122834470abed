"""A stand-in for the published checkpoints, and clips."""

import shutil
from pathlib import Path

import pytest
import torch
from speechzoo_glm_4_voice import tiny

from speechzoo import Setup, testing


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """The models are so small that threads cost more than they bring."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("glm-4-voice-stand-in")
    tiny.build(folder)
    return folder


@pytest.fixture
def copied(folder, tmp_path) -> Path:
    """One to break."""
    return shutil.copytree(folder, tmp_path / "broken")


@pytest.fixture(scope="session")
def setup(folder) -> Setup:
    return Setup("stand-in", folder)


@pytest.fixture(scope="session")
def noise():
    return testing.noise
