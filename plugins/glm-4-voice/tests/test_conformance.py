"""speechzoo's own questions to the adapter, on the stand-in."""

import pytest
from speechzoo_glm_4_voice.glm_4_voice import Glm4Voice
from speechzoo_glm_4_voice.plugin import GLM_4_VOICE

from speechzoo import Setup, testing


@pytest.fixture(scope="module")
def model_under_test(folder):
    def make(seed: int) -> Glm4Voice:
        return Glm4Voice(Setup("stand-in", folder, seed=seed))

    subject = testing.ModelUnderTest(make, GLM_4_VOICE.capabilities)
    yield subject
    subject.close()


@pytest.fixture(scope="module")
def plugin_under_test():
    return testing.plugin("glm-4-voice")


def test_the_model_conforms(model_check):
    """Otherwise numbers of this model are not comparable with those of others."""
    model_check()


def test_the_plugin_conforms(plugin_check):
    """Otherwise the plugin is set aside, or breaks the commands of others."""
    plugin_check()
