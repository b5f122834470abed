"""Texts made fit for reading aloud, and the texts that cannot be.

The rules stand in tables, each with its reason, and are applied in this order: `layout.characters` to the
text, `refusals.REFUSALS` to decide whether it is for a voice at all, `layout.lines`, and to each line
`words.in_words`, with the table `numbers.NUMBERS` in its middle. What is then neither letter nor pause
refuses the text.
"""

import re
import unicodedata

from speechzoo_synth.layout import PAUSES, characters, joined, lines
from speechzoo_synth.refusals import REFUSALS
from speechzoo_synth.rules import Match
from speechzoo_synth.words import in_words

CHARACTERS_A_SECOND = 15
# Han, Kana and Hangul characters are syllables.
SYLLABLES_A_SECOND = 4
SECONDS = 60.0
LONGEST_WRITTEN = 5

# A reader pauses at them, or passes over them, and no word is lost.
_SILENT = frozenset(PAUSES + "'\"-–—()[]{}«»‹›‚…·•‣▪¿¡")
_GREEK = re.compile(r"(?<![^\W\d_])[\u0370-\u03ff](?=[^\W\d_]{0,1}(?!\w))")
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

    What no rule has words for is left out: ask `unspeakable` first, which refuses a text with such.

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
    plain = characters(text)
    for refused in REFUSALS:
        if refused.pattern.search(plain):
            return refused.reason
    if _other_script(plain, language):
        return "other script"
    if language == "en" and not all(map(_readable, _in_words(text))):
        return "unknown symbol"
    spoken = read_aloud(text, language)
    if not any(map(str.isalpha, spoken)):
        return "nothing to say"
    return "too long" if speaking_time(spoken) > seconds else None


def speaking_time(spoken: str) -> float:
    """About how many seconds it takes to say a text."""
    syllables = sum(_script(character) in _SYLLABIC for character in spoken)
    return syllables / SYLLABLES_A_SECOND + (len(spoken) - syllables) / CHARACTERS_A_SECOND


def _read(text: str) -> str:
    return _tidy("".join(c if _readable(c) else " " for c in _in_words(text)))


def _in_words(text: str) -> str:
    read = (in_words(line).strip() for line in lines(characters(text)))
    return joined([line for line in read if line])


def _readable(character: str) -> bool:
    """Whether a reader could say it, or pause at it, or pass over it without loss."""
    return character.isalpha() or character.isspace() or _combines(character) or character in _SILENT


def _tidy(text: str) -> str:
    """Only letters, spaces, hyphens and apostrophes within words, and single marks that make a pause."""
    text = re.sub(r"\s*[()\[\]{}—–…·•]\s*|\s+-+\s+|\.{2,}", ", ", text)
    text = "".join(c if c.isalpha() or _combines(c) or c in "'- " + PAUSES else " " for c in text)
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
