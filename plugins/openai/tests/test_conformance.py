"""speechzoo's own questions to the models and the plugin, with servers that answer by what they are given."""

import pytest
from speechzoo_openai.chat_audio import ChatAudio
from speechzoo_openai.plugin import CHAT_AUDIO, COMPLETIONS, REALTIME
from speechzoo_openai.realtime import Realtime
from speechzoo_openai.scores import Completions

from plugins.openai.tests.protocol import KEY, MODEL, VARIABLE, Server, serving
from plugins.openai.tests.realtime_protocol import RealtimeServer, serving_realtime
from speechzoo import Setup, testing


def subject(kind, server, serve, capabilities):
    """A model whose server runs as long as it is asked."""
    with serve(server) as running, pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, KEY)

        def make(seed: int):
            return kind(
                Setup("one", seed=seed),
                model=MODEL,
                base_url=running.base_url,
                timeout=20.0,
                retries=0,
                parallel=4,
            )

        made = testing.ModelUnderTest(make, capabilities)
        yield made
        made.close()


class TestChatAudio:
    @pytest.fixture(scope="class")
    @classmethod
    def model_under_test(cls):
        yield from subject(ChatAudio, Server(), serving, CHAT_AUDIO.capabilities)

    def test_it_conforms(self, model_check):
        """Whoever compares models compares promises kept by all."""
        model_check()


class TestRealtime:
    @pytest.fixture(scope="class")
    @classmethod
    def model_under_test(cls):
        yield from subject(Realtime, RealtimeServer(), serving_realtime, REALTIME.capabilities)

    def test_it_conforms(self, model_check):
        """As above, of the other protocol."""
        model_check()


class TestCompletions:
    @pytest.fixture(scope="class")
    @classmethod
    def model_under_test(cls):
        yield from subject(Completions, Server(scores=True), serving, COMPLETIONS.capabilities)

    def test_it_conforms(self, model_check):
        """As above, of scores."""
        model_check()


@pytest.fixture(scope="module")
def plugin_under_test():
    return testing.plugin("openai")


def test_the_plugin_conforms(plugin_check):
    """A broken plugin would be set aside, or break the commands of others."""
    plugin_check()
