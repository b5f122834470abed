"""From what is typed to the components that it is about."""

from dataclasses import replace
from pathlib import Path

import pytest

from speechzoo.catalogue import Catalogue, open_catalogue
from speechzoo.cli.wanted import Wanted, find
from speechzoo.errors import SpeechzooError

CASCADE = Wanted("cascade", "s2sbench-mini", None, {}, None, None, None, 0)
READER = replace(CASCADE, model="smollm2-135m")


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return open_catalogue([Path(__file__).parent.parent / "speechzoo" / "registry.yaml"])


def test_a_setting_goes_to_who_takes_it(catalogue: Catalogue) -> None:
    """Otherwise a run would report an option that nothing was run with."""
    settings = {"ties": "half", "transcriber.beam_size": "5", "model.voice": "piper-joe"}
    found = find(catalogue, replace(CASCADE, settings=settings), online=False)
    assert found.task.parameters["ties"] == "half"
    assert found.systems["model"].parts["transcriber"].parameters["beam_size"] == 5
    assert found.transcriber is None


@pytest.mark.parametrize("key", ["language", "transcriber.language"])
def test_the_runs_transcriber_can_be_set(catalogue: Catalogue, key: str) -> None:
    """Otherwise Chinese clips would be heard as English."""
    wanted = replace(READER, transcriber="whisper-tiny", settings={key: "zh"})
    found = find(catalogue, wanted, online=False)
    assert found.transcriber is not None
    assert found.transcriber.parameters["language"] == "zh"
    assert not found.systems["model"].changed


def test_what_two_could_mean_has_to_be_said(catalogue: Catalogue) -> None:
    """Otherwise the model's own ears would be changed in place of the run's, or the reverse."""
    both = replace(CASCADE, transcriber="whisper-tiny", settings={"transcriber.beam_size": "5"})
    with pytest.raises(SpeechzooError, match=r"say which is meant, model\.transcriber\.beam_size or"):
        find(catalogue, both, online=False)
    said = replace(both, settings={"model.transcriber.beam_size": "5", "language": "zh"})
    found = find(catalogue, said, online=False)
    assert found.systems["model"].parts["transcriber"].parameters["beam_size"] == 5
    assert found.transcriber is not None
    assert found.transcriber.changed == {"language": "zh"}


def test_an_unknown_setting_is_answered_with_those_there_are(catalogue: Catalogue) -> None:
    """Otherwise a typing error would leave the default in force without a word."""
    with pytest.raises(SpeechzooError, match=r"--set tie: nobody knows it; there are: .*task\.ties"):
        find(catalogue, replace(CASCADE, settings={"tie": "half"}), online=False)


def test_a_rival_can_be_set(catalogue: Catalogue) -> None:
    """Otherwise the rival would run with its defaults whatever the model under test is given."""
    wanted = replace(READER, rival="cascade", settings={"rival.transcriber.beam_size": "5"})
    found = find(catalogue, wanted, online=False)
    assert found.systems["rival"].parts["transcriber"].parameters["beam_size"] == 5
