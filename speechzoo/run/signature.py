"""One line with all that decides a number: made to be pasted into a paper, and run again from there.

Idea: sacrebleu's signatures (Post 2018, arXiv:1804.08771). Fields are ``name:value`` joined by ``|``;
characters that would break the line are percent-encoded.
"""

from collections.abc import Mapping
from urllib.parse import quote, unquote

import yaml

from speechzoo.errors import SpeechzooError
from speechzoo.registry import Value

_SAFE = " ,.=@/_+-()[]~"


def write_signature(fields: Mapping[str, str]) -> str:
    return "|".join(f"{name}:{quote(value, safe=_SAFE)}" for name, value in fields.items() if value)


def read_signature(line: str) -> dict[str, str]:
    """The fields of a signature line.

    Raises:
        SpeechzooError: the line is no signature.
    """
    fields = {}
    for field in line.strip().split("|"):
        name, colon, value = field.partition(":")
        if not colon or not name:
            raise SpeechzooError(f"this is no signature: {field!r} is not of the form name:value")
        fields[name.strip()] = unquote(value)
    if missing := {"task", "model"} - set(fields):
        raise SpeechzooError(f"this is no signature: it does not name the {' and the '.join(missing)}")
    return fields


def write_settings(settings: Mapping[str, Value]) -> str:
    """``{"ties": "half", "beam_size": 2}`` as ``ties=half,beam_size=2``."""
    return ",".join(
        f"{key}={str(value).lower() if isinstance(value, bool) else value}"
        for key, value in sorted(settings.items())
    )


def read_settings(texts: list[str] | tuple[str, ...]) -> dict[str, Value]:
    """``key=value`` texts; values are read as YAML scalars: numbers, true, false, else text.

    Raises:
        SpeechzooError: a text is not of that form.
    """
    settings: dict[str, Value] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise SpeechzooError(f"{text!r} is not of the form key=value")
        settings[key.strip()] = _scalar(value.strip())
    return settings


def _scalar(text: str) -> Value:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    return value if isinstance(value, bool | int | float) else text
