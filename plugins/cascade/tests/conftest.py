"""The real models, fetched once, and stand-ins for quick wiring tests."""

import pytest

from speechzoo import loading
from speechzoo.catalogue import Catalogue, open_catalogue


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    loading.fetch(open_catalogue().model("cascade"), print)
    # Resolved anew: components know only the files that were there when they were made.
    return open_catalogue()


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
