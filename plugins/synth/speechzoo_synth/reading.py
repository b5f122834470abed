"""Texts made fit for reading aloud, and the texts that cannot be."""

import html
import re
import unicodedata
from collections.abc import Iterator

from speechzoo_synth.numbers import Match, numbers_in_words

CHARACTERS_A_SECOND = 15
# Han, Kana and Hangul characters are syllables.
SYLLABLES_A_SECOND = 4
SECONDS = 60.0
LONGEST_WRITTEN = 5

_SYMBOLS = {
    "&": "and",
    "%": "percent",
    "‰": "per mille",
    "+": "plus",
    "=": "equals",
    "≠": "is not equal to",
    "≈": "is about",
    "×": "times",
    "÷": "divided by",
    "±": "plus or minus",
    "−": "minus",
    "<": "is less than",
    ">": "is greater than",
    "≤": "is at most",
    "≥": "is at least",
    "°": "degrees",
    "@": "at",
    "#": "number",
    "§": "section",
    "$": "dollars",
    "€": "euros",
    "£": "pounds",
    "¥": "yen",
    "₹": "rupees",
    "¢": "cents",
    "²": "squared",
    "³": "cubed",
    "^": "to the power of",
    "~": "about",
    "→": "to",
    "√": "the square root of",
    "∞": "infinity",
    "©": "copyright",
}
_ABBREVIATIONS = {
    "Dr.": "Doctor",
    "Mr.": "Mister",
    "Mrs.": "Missus",
    "Ms.": "Miss",
    "Prof.": "Professor",
    "Gen.": "General",
    "Sen.": "Senator",
    "Gov.": "Governor",
    "Capt.": "Captain",
    "Lt.": "Lieutenant",
    "Col.": "Colonel",
    "Sgt.": "Sergeant",
    "Rev.": "Reverend",
    "Mt.": "Mount",
    "Jr.": "Junior",
    "Sr.": "Senior",
    "Inc.": "Incorporated",
    "Ltd.": "Limited",
    "Corp.": "Corporation",
    "Ave.": "Avenue",
    "Blvd.": "Boulevard",
    "e.g.": "for example",
    "i.e.": "that is",
    "etc.": "et cetera",
    "vs.": "versus",
    "approx.": "approximately",
    "ca.": "about",
    "et al.": "and others",
    "Ph.D.": "P H D",
}
_ABBREVIATION = re.compile(
    rf"(?<!\w)(?:{'|'.join(sorted(map(re.escape, _ABBREVIATIONS), key=len, reverse=True))})(?!\w)"
)
_DOTTED = re.compile(r"\b(?:[A-Za-z]\.){2,}(?![A-Za-z])|\b(?:[A-Za-z]\.)+[A-Za-z]\b")
_OPTION = re.compile(r"\(?([A-J])[.):]\)?\s+(?=\S)(?![A-Z]\.)")
_PAUSES = ".,?!:;"
_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")

_CODE = re.compile(
    r"```|~~~|</?[a-zA-Z][^<>\n]*>|\b(?:def|class|function) \w+\s*[({:]|\w\(\)|\b\w+\[[\w:'\"]*\]"
    r"|^\s*(?:import|from|#include|return) [\w<.]+;?$|\)\s*;\s*$|\{\s*$|^\s*\}"
    r"|==|!=|->|=>|::|&&|\|\||\b[a-z]+_[a-z][a-z_]*\b",
    re.MULTILINE,
)
_FORMULA = re.compile(
    r"\\[a-zA-Z]+|\\[()\[\]]|\$\$|\$[^$\n]*[\\^_{}=][^$\n]*\$|\$[a-zA-Z]\$|[_^]\{|\b[a-zA-Z]\([a-zA-Z0-9][^)\s]{0,3}\)|[0-9]\([a-z][^a-z)]"
    r"|[∑∏∫∂∇∈∉∀∃⊂⊆∪∩∧∨¬⟨⟩]|[a-zA-Z]\^"
)
_TABLE = re.compile(r"^[^\n|]*\|[^\n|]*\|.*\n.*\|[^\n|]*\||^[^\n\t]*\t[^\n\t]+\t.*\n.*\t.*\t", re.MULTILINE)
_LINK = re.compile(r"!?\[([^\]\n]*)\]\([^)\s]*\)")
_URL = re.compile(r"\b(?:https?|ftp)://|\bwww\.\w|\b\w+\.(?:com|org|net|edu|gov)/\w")
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.\w")
_GREEK = re.compile(r"(?<![^\W\d_])[\u0370-\u03ff\u00b5](?=[^\W\d_]{0,1}(?!\w))")
_SYLLABIC = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL")
_SCRIPTS = {
    "ar": ("ARABIC",),
    "bg": ("CYRILLIC",),
    "el": ("GREEK",),
    "fa": ("ARABIC",),
    "he": ("HEBREW",),
    "hi": ("DEVANAGARI",),
    "ja": ("CJK", "HIRAGANA", "KATAKANA", "LATIN"),
    "ko": ("HANGUL", "CJK", "LATIN"),
    "ru": ("CYRILLIC",),
    "th": ("THAI",),
    "uk": ("CYRILLIC",),
    "zh": ("CJK", "LATIN"),
}


def read_aloud(text: str, language: str = "en") -> str:
    """The text as a reader says it: letters, spaces and the marks that make a pause, nothing else.

    Numbers and symbols become words, Markdown goes, new lines and brackets become pauses, ``A.`` before an
    option becomes ``A,`` and ``____`` becomes *blank*. Reading what was read changes nothing.

    The rules are those of English. A text in another language has its white space tidied and is otherwise
    left to its voice: a wrong guess is worse than none.

    Args:
        text: of one item.
        language: ISO 639-1, such as ``de``.
    """
    if language != "en":
        return " ".join(text.split())
    read = _read(text)
    # A mark that one rule removes may have hidden something from an earlier one.
    while (again := _read(read)) != read:
        read = again
    return read


def unspeakable(text: str, language: str = "en", seconds: float = SECONDS) -> str | None:
    """Why a text cannot be spoken, None if it can.

    One of ``code``, ``formula``, ``table``, ``URL``, ``e-mail address``, ``other script`` (than the
    language's), ``unknown symbol``, ``nothing to say`` and ``too long``.

    Args:
        text: before it is made fit for reading.
        language: ISO 639-1, such as ``de``.
        seconds: the longest it may take, at 15 characters a second, or 4 of Han, Kana or Hangul.
    """
    # Rules take more than twice as long for a text of twice the length; no rule makes it this much shorter.
    if len(text) > LONGEST_WRITTEN * seconds * CHARACTERS_A_SECOND:
        return "too long"
    without_links = _LINK.sub(r"\1", text)
    for reason, pattern in _PATTERNS.items():
        if pattern.search(without_links):
            return reason
    if _other_script(text, language):
        return "other script"
    if language == "en" and any(map(_unreadable, _in_words(text))):
        return "unknown symbol"
    spoken = read_aloud(text, language)
    if not any(map(str.isalpha, spoken)):
        return "nothing to say"
    return "too long" if speaking_time(spoken) > seconds else None


def speaking_time(spoken: str) -> float:
    """About how many seconds it takes to say a text."""
    syllables = sum(_script(character) in _SYLLABIC for character in spoken)
    return syllables / SYLLABLES_A_SECOND + (len(spoken) - syllables) / CHARACTERS_A_SECOND


_PATTERNS = {"URL": _URL, "e-mail address": _EMAIL, "table": _TABLE, "code": _CODE, "formula": _FORMULA}


def _read(text: str) -> str:
    return _tidy("".join(c for c in _in_words(text) if not _unreadable(c)))


def _in_words(text: str) -> str:
    text = _plain(text)
    text = " ".join(_lines(text))
    text = re.sub(r"(?<=\S)\s+\(?([A-J])\)\s+", r", \1, ", text)
    text = _ABBREVIATION.sub(_abbreviated, text)
    text = re.sub(r"\bSt\.(?=\s+[A-Z])", "Saint", text)
    text = re.sub(r"\bSt\.$", "Street.", text)
    text = re.sub(r"\bSt\.", "Street", text)
    text = re.sub(r"\b(?:No\.|#)\s?(?=[0-9])", "number ", text)
    text = re.sub(r"\bp(p?)\.\s?(?=[0-9])", lambda m: "pages " if m[1] else "page ", text)
    text = numbers_in_words(text)
    text = _DOTTED.sub(lambda m: f"{' '.join(m[0].replace('.', ''))} ", text)
    text = re.sub(r"\b([A-Z])\.(?=\s?[A-Z])", r"\1 ", text)
    text = re.sub(r"(?<=\w)\.(?=[a-z])", " dot ", text)
    text = re.sub(r"\band/or\b", "and or", text)
    text = re.sub(r"(?<=[\w)])\s?\*\s?(?=[\w(])", " times ", text)
    text = re.sub(r"(?<=\w)\s?/\s?(?=\w)", " slash ", text)
    for symbol, word in _SYMBOLS.items():
        text = text.replace(symbol, f" {word} ")
    return "".join(map(_letter, text))


def _plain(text: str) -> str:
    """Without entities, Markdown, typographer's variants of marks, and with blanks by their name."""
    text = unicodedata.normalize("NFC", html.unescape(text)).replace("µ", "μ")
    text = text.replace("<=", "≤").replace(">=", "≥").translate(_SUBSCRIPTS)
    text = re.sub(
        r"(?<=[0-9])[⁰¹²³⁴-⁹⁻]{2,}|(?<=[0-9])[⁰¹⁴-⁹]", lambda m: f"^{m[0].translate(_SUPERSCRIPTS)}", text
    )
    text = re.sub(r"[\u2018\u2019\u02bc`´]", "'", text)
    text = re.sub(r"[\u200b-\u200f\u2060\ufeff\u00ad]", "", text)
    text = _LINK.sub(r"\1", text)
    text = re.sub(r"(?<!_)__(?=\w)([^_\n]+)(?<=\w)__(?!_)", r"\1", text)
    text = re.sub(r"_{2,}|\[\s*blank\s*\]|\[MASK\]", " blank ", text)
    return re.sub(r"(\*{1,3}|~~)(?=\S)([^*~\n]*?)(?<=\S)\1", r"\2", text)


def _lines(text: str) -> Iterator[str]:
    """Lines without the markers of lists and headings, each closed by a mark that makes a pause."""
    lines = [line for line in map(_without_marker, text.splitlines()) if line]
    for line in lines[:-1]:
        yield line if line[-1] in _PAUSES else f"{line}."
    yield from lines[-1:]


def _without_marker(line: str) -> str:
    line = re.sub(r"^(?:(?:[-*•‣▪–—>]|#{1,6})\s+)+", "", line.strip())
    line = re.sub(r"^\(?([0-9]{1,2})[.)]\s+(?=\D)", r"\1, ", line)
    return _OPTION.sub(r"\1, ", line, count=1) if _OPTION.match(line) else line


def _abbreviated(match: Match) -> str:
    words = _ABBREVIATIONS[match[0]]
    return words if match.string[match.end() :].strip() else f"{words}."


def _letter(character: str) -> str:
    """A Greek letter by its name, as in ``alpha``; anything else as it is."""
    name = unicodedata.name(character, "")
    if not name.startswith("GREEK") or " LETTER " not in name:
        return character
    return f" {name.split(' LETTER ')[1].split()[0].lower()} "


def _unreadable(character: str) -> bool:
    """Whether no reader could say it, nor pause at it; what carries no sound, such as a quote, is no loss."""
    if character.isascii():
        return character.isdigit()
    return unicodedata.category(character) in ("Sm", "Sc", "No", "Nl", "Nd")


def _tidy(text: str) -> str:
    """Only letters, spaces, hyphens and apostrophes within words, and single marks that make a pause."""
    text = re.sub(r"\s*[()\[\]{}—–…|]\s*|\s+-+\s+|\.{2,}", ", ", text)
    text = "".join(c if c.isalpha() or _combines(c) or c in "'- " + _PAUSES else " " for c in text)
    text = re.sub(r"(?<![^\W\d_])['-]+|['-]+(?![^\W\d_])", " ", text)
    text = re.sub(r"(?<=\w)['-]{2,}(?=\w)", "-", text)
    text = re.sub(r"\s*([.,?!:;])(?:[\s.,?!:;]*[.,?!:;])?", _strongest, text)
    return " ".join(text.split()).strip(" ,:;").lstrip(" .?!,:;")


def _strongest(match: Match) -> str:
    return min(match[0].strip().replace(" ", ""), key="?!.:;,".index) + " "


def _combines(character: str) -> bool:
    return unicodedata.category(character) in ("Mn", "Mc")


def _other_script(text: str, language: str) -> bool:
    wanted = _SCRIPTS.get(language, ("LATIN",))
    # A Greek letter by itself has a name that everybody says.
    named = _GREEK.sub("", text) if language == "en" else text
    return any(c.isalpha() and _script(c) not in wanted for c in named)


def _script(character: str) -> str:
    return unicodedata.name(character, "").partition(" ")[0]
