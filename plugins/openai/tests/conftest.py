"""Servers that speak the protocols, each test its own, and what is made to ask them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest

from plugins.openai.tests.protocol import KEY, MODEL, VARIABLE, Server, serving
from plugins.openai.tests.realtime_protocol import RealtimeServer, serving_realtime
from speechzoo import AudioClip
from speechzoo.catalogue import Catalogue, open_catalogue
from speechzoo.loading import load


@pytest.fixture(autouse=True)
def key(monkeypatch) -> str:
    monkeypatch.setenv(VARIABLE, KEY)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    return KEY


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(Server()) as running:
        yield running


@pytest.fixture
def realtime_server() -> Iterator[RealtimeServer]:
    with serving_realtime(RealtimeServer()) as running:
        yield running


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return open_catalogue()


@pytest.fixture
def made(catalogue) -> Iterator[Callable[..., Any]]:
    """Makes a model or service of this plugin by its name, asking a server, as the runner does."""
    with ExitStack() as stack:

        def make(name: str, server: Any, **settings: Any) -> Any:
            find = catalogue.service if name.endswith("judge") else catalogue.model
            own = {"model": MODEL, "base_url": server.base_url, "timeout": 5.0, "retries": 2, **settings}
            one = load(find(name, own))
            stack.callback(one.close)
            return one

        yield make


@pytest.fixture
def tone() -> Callable[..., AudioClip]:
    """A clip of so many seconds, so loud, at a rate in Hz."""

    def make(seconds: float = 1.0, level: float = 0.25, rate: int = 16_000, **about: Any) -> AudioClip:
        times = np.arange(round(seconds * rate)) / rate
        return AudioClip.from_samples(
            (level * np.sin(2 * np.pi * 440 * times)).astype(np.float32), rate, **about
        )

    return make
