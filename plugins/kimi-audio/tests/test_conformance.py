"""speechzoo's own questions to the adapter, on the stand-in."""

import pytest
from speechzoo_kimi_audio.kimi_audio import KimiAudioModel
from speechzoo_kimi_audio.plugin import KIMI_AUDIO

from speechzoo import testing


@pytest.fixture(scope="module")
def model_under_test(setup, code):
    subject = testing.ModelUnderTest(lambda seed: KimiAudioModel(setup(seed), code), KIMI_AUDIO.capabilities)
    yield subject
    subject.close()


@pytest.fixture(scope="module")
def plugin_under_test():
    return testing.plugin("kimi-audio")


def test_the_model_conforms(model_check):
    """Otherwise numbers of this model are not comparable with those of others."""
    model_check()


def test_the_plugin_conforms(plugin_check):
    """Otherwise the plugin is set aside, or breaks the commands of others."""
    plugin_check()
