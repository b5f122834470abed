"""speechzoo's own questions to the adapter, on the stand-in."""

import pytest
from speechzoo_baichuan_audio.baichuan_audio import BaichuanAudio
from speechzoo_baichuan_audio.plugin import BAICHUAN_AUDIO

from speechzoo import Setup, testing


@pytest.fixture(scope="module")
def model_under_test(folder):
    def make(seed: int) -> BaichuanAudio:
        return BaichuanAudio(Setup("stand-in", folder, trust_remote_code=True, seed=seed))

    subject = testing.ModelUnderTest(make, BAICHUAN_AUDIO.capabilities)
    yield subject
    subject.close()


@pytest.fixture(scope="module")
def plugin_under_test():
    return testing.plugin("baichuan-audio")


def test_the_model_conforms(model_check):
    """Otherwise numbers of this model are not comparable with those of others."""
    model_check()


def test_the_plugin_conforms(plugin_check):
    """Otherwise the plugin is set aside, or breaks the commands of others."""
    plugin_check()
