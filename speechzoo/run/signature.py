"""One line with all that decides a number: made to be pasted into a paper, and run again from there.

Idea: sacrebleu's signatures (Post 2018, arXiv:1804.08771). Fields are ``name:value`` joined by ``|``;
characters that would break the line are percent-encoded.
"""

from collections.abc import Iterable, Mapping
from urllib.parse import quote, unquote

from speechzoo.errors import SpeechzooError
from speechzoo.registry import Value

_SAFE_IN_SETTING = ".@/_+-()[]~"
_SAFE_IN_FIELD = _SAFE_IN_SETTING + ",="


def write_signature(fields: Mapping[str, str]) -> str:
    return "|".join(f"{name}:{quote(value, _SAFE_IN_FIELD)}" for name, value in fields.items() if value)


def read_signature(line: str) -> dict[str, str]:
    """The fields of a signature line.

    Raises:
        SpeechzooError: the line is no signature.
    """
    fields: dict[str, str] = {}
    for field in line.split("|"):
        name, colon, value = (part.strip() for part in field.partition(":"))
        if not colon or not name:
            raise SpeechzooError(f"this is no signature: {field!r} is not of the form name:value")
        if name in fields:
            raise SpeechzooError(f"this is no signature: it names the {name} twice")
        fields[name] = unquote(value)
    if missing := {"task", "model"} - set(fields):
        raise SpeechzooError(
            f"this is no signature: it does not name the {' and the '.join(sorted(missing))}"
        )
    return fields


def read_number(fields: Mapping[str, str], name: str, *, least: int) -> int | None:
    """A whole number among a signature's fields, None if it is not there.

    Raises:
        SpeechzooError: the field is no such number.
    """
    text = fields.get(name)
    if text is None:
        return None
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if number < least:
        raise SpeechzooError(f"the signature's {name}:{text} is no whole number from {least} on")
    return number


def write_settings(settings: Mapping[str, Value]) -> str:
    """``{"ties": "half", "beam_size": 2}`` as ``beam_size=2,ties=half``."""
    return ",".join(f"{_quoted(key)}={_quoted(text_of(value))}" for key, value in sorted(settings.items()))


def read_settings(text: str) -> dict[str, str]:
    """What `write_settings` wrote, as text; what type a value is of, the parameter itself says.

    Raises:
        SpeechzooError: the text is not of that form.
    """
    pairs = parse_settings(text.split(",") if text else ())
    return {unquote(key): unquote(value) for key, value in pairs.items()}


def parse_settings(texts: Iterable[str]) -> dict[str, str]:
    """``key=value`` texts as they are typed; everything after the first ``=`` is the value.

    Raises:
        SpeechzooError: a text is not of that form.
    """
    settings: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise SpeechzooError(f"{text!r} is not of the form key=value")
        settings[key.strip()] = value
    return settings


def text_of(value: Value) -> str:
    """A value as ``--set`` takes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _quoted(text: str) -> str:
    return quote(text, _SAFE_IN_SETTING)
