"""What is refused before anything is loaded, and what a fault of the package says."""

import sys

import pytest
from speechzoo_kimi_audio.kimi_audio import KimiAudioModel

from speechzoo import SetupError

REFUSED = [
    ({"trust_remote_code": False}, "--trust-remote-code"),
    ({"device": "cpu"}, "--device cuda"),
    ({"dtype": "float32"}, "--dtype bfloat16"),
    ({"attention": "eager"}, "leave them out"),
    ({"device_map": "auto"}, "leave them out"),
]


@pytest.mark.parametrize(("changes", "told"), REFUSED)
def test_what_the_package_does_not_do_is_refused(setup, changes, told):
    """Otherwise a report says of something how it was not computed, or code runs unasked."""
    with pytest.raises(SetupError, match=told):
        KimiAudioModel(setup(**changes))


def test_its_ears_have_to_be_there(setup, tmp_path):
    """Otherwise the package downloads them, at whatever commit is newest, in the middle of a run."""
    with pytest.raises(SetupError, match="THUDM/glm-4-voice-tokenizer into"):
        KimiAudioModel(setup(folder=tmp_path))


def test_a_package_that_is_not_there_is_named(setup, monkeypatch):
    """Otherwise a traceback is all that tells what to install."""
    for name in [name for name in sys.modules if name.startswith("kimia_infer")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [one for one in sys.path if not one.endswith("authors_code")])
    with pytest.raises(SetupError, match="kimia_infer, which could not be imported"):
        KimiAudioModel(setup())
