"""A tiny random checkpoint of each kind, and clips."""

from pathlib import Path

import numpy as np
import pytest
import torch
from speechzoo_hf_speech.tiny import BUILDERS

from speechzoo import AudioClip


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """The models are so small that threads cost more than they bring."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session", params=BUILDERS)
def adapter(request) -> str:
    return request.param


@pytest.fixture(scope="session")
def folder(adapter, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp(adapter)
    BUILDERS[adapter](folder)
    return folder


@pytest.fixture(scope="session")
def clips() -> list[AudioClip]:
    return [noise(0.5), noise(1.3), noise(3.0)]


@pytest.fixture(scope="session")
def long_clip() -> AudioClip:
    """A window of the tiny extractors and a little more."""
    return noise(12.7)


def noise(seconds: float) -> AudioClip:
    """It swells and fades."""
    samples = round(seconds * 16_000)
    swell = np.abs(np.sin(np.arange(samples) / 3000))
    draws = np.random.default_rng(samples).standard_normal(samples)
    return AudioClip.from_samples((0.2 * draws * swell).astype("f4"), 16_000)
