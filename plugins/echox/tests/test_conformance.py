"""speechzoo's own questions to a model, on the tiny checkpoint."""

import pytest
from speechzoo_echox.echox import EchoX
from speechzoo_echox.plugin import ECHOX

from speechzoo import Setup, testing


@pytest.fixture(scope="module")
def model_under_test(folder):
    def make(seed: int) -> EchoX:
        # A trained model begins its replies with the token that answer_bos stands for; a random one does not.
        return EchoX(Setup("tiny echox", folder, seed=seed), answer_bos=False, max_unit_tokens=24)

    return testing.ModelUnderTest(make, ECHOX.capabilities)


@pytest.fixture(scope="module")
def plugin_under_test():
    return testing.plugin("echox")


def test_the_model_conforms(model_check):
    """Whoever compares models compares promises kept by all."""
    model_check()


def test_the_plugin_conforms(plugin_check):
    """A broken plugin would be set aside, or break the commands of others."""
    plugin_check()
