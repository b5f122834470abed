"""A signature says the same when it is read as when it was written, whatever the settings hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechzoo.errors import SpeechzooError
from speechzoo.registry import Value
from speechzoo.run.signature import (
    parse_settings,
    read_number,
    read_settings,
    read_signature,
    text_of,
    write_settings,
    write_signature,
)

VALUES = st.text() | st.integers() | st.booleans() | st.floats(allow_nan=False)
NAMED = {"task": "t", "model": "m"}


@given(st.dictionaries(st.text(min_size=1), VALUES))
def test_settings_survive_the_line(settings: dict[str, Value]) -> None:
    """Otherwise: a comma in a prompt makes the line of a paper another run, or none."""
    line = write_signature({**NAMED, "set": write_settings(settings)})
    read = read_settings(read_signature(line).get("set", ""))
    assert read == {key: text_of(value) for key, value in settings.items()}


@given(st.text(min_size=1), st.text(min_size=1))
def test_names_survive_the_line(model: str, task: str) -> None:
    """Otherwise: a checkpoint in a folder with an odd name has a signature that cannot be run."""
    assert read_signature(write_signature({"task": task, "model": model})) == {"task": task, "model": model}


def test_the_line_stays_readable() -> None:
    """Otherwise: a reader of the paper cannot see what was set."""
    settings = write_settings({"model.transcriber.beam_size": 5, "model.fast": True})
    line = write_signature({**NAMED, "conditions": "t2t,s2t", "limit": "", "set": settings})
    assert line == "task:t|model:m|conditions:t2t,s2t|set:model.fast=true,model.transcriber.beam_size=5"
    assert read_signature(f"  {line.replace('|', ' | ')}\n") == read_signature(line)


def test_a_setting_is_kept_as_it_is_typed() -> None:
    """Otherwise: a prompt loses its comma or space, 007 its zeros, and no becomes False."""
    typed = ["words=be brief, please ", "code=007", "language=no", "sum=1+1=2", "empty="]
    assert parse_settings(typed) == {
        "words": "be brief, please ",
        "code": "007",
        "language": "no",
        "sum": "1+1=2",
        "empty": "",
    }
    for wrong in ("beams", "=5", ""):
        with pytest.raises(SpeechzooError, match="not of the form key=value"):
            parse_settings([wrong])


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("", "not of the form name:value"),
        ("task:t", "does not name the model"),
        ("limit:3", "does not name the model and the task"),
        ("task:t|model:m|limit", "'limit' is not of the form name:value"),
        ("task:t|model:m|task:u", "names the task twice"),
    ],
)
def test_what_is_no_signature_is_told_why(line: str, told: str) -> None:
    """Otherwise: a line cut by a copy ends in a traceback, or runs something else."""
    with pytest.raises(SpeechzooError, match=told):
        read_signature(line)


@pytest.mark.parametrize("text", ["abc", "0", "-1", "1.5", "9" * 5000])
def test_a_number_that_is_none_is_refused(text: str) -> None:
    """Otherwise: a damaged limit ends in a traceback."""
    assert read_number({"limit": "12"}, "limit", least=1) == 12
    assert read_number({}, "limit", least=1) is None
    with pytest.raises(SpeechzooError, match="the signature's limit:"):
        read_number({"limit": text}, "limit", least=1)
