"""What a page does with a text and a voice cannot: characters of print, Markdown, lines and options."""

import html
import re
import unicodedata
from collections.abc import Iterator, Set

from speechzoo_synth.rules import Match, apply, rule

PAUSES = ".,?!:;"

_PRINT = str.maketrans(
    {
        **dict.fromkeys("‘’ʻʼ´", "'"),
        **dict.fromkeys("“”„", '"'),
        **dict.fromkeys("‐‑", "-"),
        **dict.fromkeys("\u00a0\u2007\u2008\u2009\u200a\u202f\u3000", " "),
        # They carry no sound.
        **dict.fromkeys("\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad™®", ""),
        **dict(zip("₀₁₂₃₄₅₆₇₈₉", "0123456789", strict=True)),
        "‒": "–",
        "µ": "μ",
        "℃": "°C",
        "℉": "°F",
        "ℓ": "l",
        "№": "No.",
    }
)
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")

_CHARACTERS = (
    rule(
        "wide letters and ligatures",
        "they are the common ones",
        r"[\uff01-\uff5e\ufb00-\ufb06]+",
        lambda match: unicodedata.normalize("NFKC", match[0]),
    ),
    rule("<=", "two marks of one sign", r"<=(?!=)", "≤"),
    rule(">=", "two marks of one sign", r">=(?!=)", "≥"),
    rule("+/-", "three marks of one sign", r"\+/-", "±"),
    rule("<->", "marks of one sign", r"<-+>", "↔"),
    rule("->", "marks of one sign; x->y is code", r"(?<!\S)-+>|(?<=\w)-+>(?!\w)", "→"),
    rule(
        "power of a number",
        "a power is a number too",
        r"(?<=[0-9])[⁰¹²³⁴-⁹⁻]{2,}|(?<=[0-9])[⁰¹⁴-⁹]",
        lambda match: f"^{match[0].translate(_SUPERSCRIPTS)}",
    ),
    rule("link", "its address is not read", r"!?\[([^\]\n]*)\]\([^)\s]*\)", r"\1"),
)
_MARKDOWN = (
    rule("citation", "a reader passes over it", r"(?<=[^\W_])([.,]?)\[(?:[1-9][\d, –-]*|sic)\]", r"\1"),
    rule("__bold__", "its marks have no sound", r"(?<!_)__(?=\w)([^_\n]+)(?<=\w)__(?!_)", r"\1"),
    rule("_slanted_", "its marks have no sound", r"(?<![\w_])_(?=\S)([^_\n]+)(?<=\S)_(?![\w_])", r"\1"),
    rule("blank", "it is to be filled", r"_{2,}|(?<![\w_])_(?![\w_])|\[\s*blank\s*\]|\[MASK\]", " blank "),
    # 2**3 is a power and 2*3*4 a product.
    rule(
        "**bold**",
        "its marks have no sound",
        r"(?<![0-9])(\*{2,3}|~~)(?=[^\s*~])([^*~\n]*?)(?<=[^\s*~])\1(?![0-9])",
        r"\2",
    ),
    rule(
        "*slanted*",
        "its marks have no sound",
        r"(?<![\w)*%°²³])\*(?=[^\s*])([^*\n]*?)(?<=[^\s*])\*(?![\w(*])",
        r"\1",
    ),
    rule("`fixed`", "its marks have no sound", r"`", "'"),
)
_MARKERS = (
    rule("line across the page", "it says nothing", r"^(?:[-*=]\s*){3,}$", ""),
    rule("bullet, heading, quotation", "its mark has no sound", r"^(?:(?:[-*•‣▪–—>]|#{1,6})\s+)+", ""),
    rule("number of a list", "it stands apart", r"^\(?([0-9]{1,2})[.)]\s+(?=\D)", r"\1, "),
)
_LABEL = re.compile(r"\(?([A-Z])[.):]\)?\s+(?=\S)")
# A single line with a letter further on begins with somebody's name.
_LAST_LABEL = "J"
_INITIAL_NEXT = re.compile(r"[A-Z]\.")
_LONE_CAPITAL = re.compile(r"(?<!\w)[A-Z]\.?$")


def characters(text: str) -> str:
    """The text without entities, links, wide letters and the typographer's variants of marks."""
    return apply(_CHARACTERS, unicodedata.normalize("NFC", html.unescape(text)).translate(_PRINT))


def lines(text: str) -> list[str]:
    """The lines of a text of plain `characters` without Markdown and markers; labels as ``A,``."""
    bare = [apply(_MARKERS, line.strip()) for line in apply(_MARKDOWN, text).splitlines()]
    labels = {match[1] for line in bare if (match := _LABEL.match(line))}
    return [line for line in (_labelled(line, labels) for line in bare) if line]


def joined(read: list[str]) -> str:
    """Lines as one, each closed by a mark that makes a pause.

    After a letter that stands alone, as in vitamin A, a full stop would make it an initial of what follows.
    """
    return " ".join(_closed(read))


def _closed(read: list[str]) -> Iterator[str]:
    for line in read[:-1]:
        if _LONE_CAPITAL.search(line):
            yield f"{line.removesuffix('.')};"
        else:
            yield line if line[-1] in PAUSES else f"{line}."
    yield from read[-1:]


def _labelled(line: str, labels: Set[str]) -> str:
    label = _LABEL.match(line)
    return _LABEL.sub(r"\1, ", line, count=1) if label and _is_label(label, labels) else line


def _is_label(label: Match, labels: Set[str]) -> bool:
    """Whether it labels an option, as its neighbours do, and is nobody's initial."""
    if {chr(ord(label[1]) - 1), chr(ord(label[1]) + 1)} & labels:
        return True
    return label[1] <= _LAST_LABEL and not _INITIAL_NEXT.match(label.string, label.end())
