"""What the pages share: templates that escape every value, and a policy that lets nothing foreign run."""

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from speechzoo.gap.wording import asked_again, interval, nats, number, p_value

# Marks that turn the direction of what follows would turn numbers behind a name, too.
_TURNING = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)], "\ufffd")

_ESCAPES = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}


def environment() -> Environment:
    """Of the templates; whatever they print is escaped."""
    made = Environment(
        loader=PackageLoader("speechzoo.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_straight,
    )
    made.filters |= {"number": number, "interval": interval, "p_value": p_value}
    made.filters |= {"nats": nats, "asked_again": asked_again}
    return made


def _straight(value: object) -> object:
    foreign = isinstance(value, str) and not isinstance(value, Markup)
    return str(value).translate(_TURNING) if foreign else value


def inert_json(text: str) -> Markup:
    """JSON that no parser of HTML finds an element's end in; equal to the original once parsed."""
    return Markup(text.translate(_ESCAPES))


def asset(name: str) -> str:
    """A style sheet or script of this package."""
    return files("speechzoo.report").joinpath("assets", name).read_text(encoding="utf-8")


def policy(style: str, script: str | None = None) -> str:
    """The content security policy of a page with this style sheet and, if any, this one script."""
    scripts = f"script-src {_hashed(script)}; " if script is not None else ""
    return (
        f"default-src 'none'; {scripts}style-src {_hashed(style)}; "
        "media-src data:; img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hashed(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
