"""speechzoo's own questions to the ears and the mouth."""

import pytest

from speechzoo import loading, testing
from speechzoo.catalogue import open_catalogue

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module", params=["whisper-tiny", "piper-joe"])
def name(request):
    return request.param


@pytest.fixture(scope="module")
def service_under_test(name):
    loading.fetch(open_catalogue().service(name), print)
    service = testing.service(name)
    yield service
    service.close()


def test_the_service_conforms(name, service_check):
    """Otherwise spoken arms are graded by words that were not said, or differ from run to run."""
    service_check()
