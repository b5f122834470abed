"""A tiny random checkpoint, and what it is asked."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from speechzoo_echox.echox import EchoX
from speechzoo_echox.tiny import build

from speechzoo import AudioClip, Setup


def pytest_configure(config):
    config.addinivalue_line("markers", "golden: needs SPEECHZOO_GOLDEN, the folder of recorded outputs")


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """The models are so small that threads cost more than they bring."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("echox")
    build(folder)
    return folder


@pytest.fixture(scope="session")
def echox(folder) -> EchoX:
    return EchoX(Setup("tiny echox", folder), max_unit_tokens=24)


@pytest.fixture(scope="session")
def clips() -> list[AudioClip]:
    """Noise of 0.5, 1 and 2 s that swells and fades."""
    draws = np.random.default_rng(0)

    def noise(samples: int) -> AudioClip:
        swell = np.abs(np.sin(np.arange(samples) / 3000))
        return AudioClip.from_samples((0.2 * draws.standard_normal(samples) * swell).astype("f4"), 16_000)

    return [noise(8_000), noise(16_000), noise(32_000)]


@pytest.fixture(scope="session")
def golden() -> Path:
    if not (folder := os.environ.get("SPEECHZOO_GOLDEN")):
        pytest.skip("SPEECHZOO_GOLDEN does not name the folder of recorded outputs")
    return Path(folder) / "echox"
