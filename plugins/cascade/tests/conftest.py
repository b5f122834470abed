"""The real models, fetched once, and stand-ins for quick wiring tests."""

import pytest

from speechzoo import loading
from speechzoo.plugins import discover
from speechzoo.registry import load_registry


@pytest.fixture(scope="session")
def catalogue() -> loading.Catalogue:
    catalogue = loading.Catalogue(discover(), load_registry())
    loading.fetch(catalogue.model("cascade"), print)
    # Resolved anew: components know only the files that were there when they were made.
    return loading.Catalogue(discover(), load_registry())


@pytest.fixture(scope="session")
def cascade(catalogue):
    return loading.load(catalogue.model("cascade"))


@pytest.fixture(scope="session")
def text_llm(catalogue):
    return loading.load(catalogue.model("smollm2-135m"))


@pytest.fixture(scope="session")
def voice(catalogue):
    return loading.load(catalogue.service("piper-joe"))


@pytest.fixture(scope="session")
def transcriber(catalogue):
    return loading.load(catalogue.service("whisper-tiny"))
