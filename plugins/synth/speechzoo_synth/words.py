"""English abbreviations, initials and symbols as the words they are read with."""

import re
import unicodedata

from speechzoo_synth.numbers import NUMBERS
from speechzoo_synth.rules import Match, apply, rule, space_after

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
    "E.g.": "For example",
    "i.e.": "that is",
    "I.e.": "That is",
    "etc.": "et cetera",
    "vs.": "versus",
    "approx.": "approximately",
    "Approx.": "Approximately",
    "ca.": "about",
    "et al.": "and others",
    "Ph.D.": "P H D",
}
_ABBREVIATION = "|".join(sorted(map(re.escape, _ABBREVIATIONS), key=len, reverse=True))
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
    "♯": "sharp",
    "♭": "flat",
}
_NAMES_OF_RATES = (
    "second|minute|hour|day|week|month|year|dozen|person|mile|gallon|liter|litre|pound|page|piece"
)
_PER = {
    **{name: name for name in _NAMES_OF_RATES.split("|")},
    "sec": "second",
    "min": "minute",
    "hr": "hour",
    "wk": "week",
    "mo": "month",
    "yr": "year",
    "gal": "gallon",
    "lb": "pound",
    "kg": "kilogram",
    "L": "liter",
}
# What begins a sentence and no name.
_BEGINNING = (
    "A|After|All|An|And|As|At|Because|Before|But|By|Did|Do|Does|For|From|Has|Have|He|Her|His|How|I|If|In|Is|It|"
    "Its|My|No|Of|On|Or|Our|She|So|That|The|Their|Then|There|These|They|This|To|Was|We|Were|What|When|Where|"
    "Which|Who|Whose|Why|Will|With|You|Your"
)


def _abbreviated(match: Match) -> str:
    words = _ABBREVIATIONS[match[0]]
    return words if match.string[match.end() :].strip() else f"{words}."


def _letters(match: Match) -> str:
    return f"{' '.join(match[0].replace('.', ''))}{space_after(match)}"


_BEFORE_NUMBERS = (
    rule("(A) within a line", "options are told apart by a pause", r"(?<=\S)\s+\(?([A-Z])\)\s+", r", \1, "),
    rule("abbreviation", "nobody says it", rf"(?<!\w)(?:{_ABBREVIATION})(?!\w)", _abbreviated),
    rule(
        "St. at an end",
        "a street ends a sentence, a saint none",
        rf"(?<=[a-z] )St\.(?=$|\s+(?:{_BEGINNING})\b)",
        "Street.",
    ),
    rule("St. before a name", "a saint", r"\bSt\.(?=\s+[A-Z])", "Saint"),
    rule("St.", "a street", r"\bSt\.", "Street"),
    rule("Roe v. Wade", "versus", r"(?<=[a-z] )v\.(?= [A-Z])", "versus"),
    rule("No. and # before a number", "they count", r"\b(?:No\.|#)\s?(?=[0-9])|(?<!\w)#(?=[0-9])", "number "),
    rule("C#", "a note, or what is called like one", r"\b([A-G])#(?!\w)", r"\1 sharp"),
    rule("#name", "a hashtag", r"(?<!\w)#(?=[A-Za-z])", "hashtag "),
    rule("5 in. long", "inches", r"(?<=[0-9])\s?in\.(?=\s+[a-z]|$)", " inches"),
    rule(
        "5 lb. of",
        "the dot of a unit ends no sentence",
        r"(?<=[0-9])(\s?(?:mi|lbs?|oz|ft|yd|hrs?|mins?|secs?))\.(?=\s+[a-z(])",
        r"\1",
    ),
    rule("pp.", "pages", r"\bpp\.\s?(?=[0-9])", "pages "),
    rule("p.", "a page", r"\bp\.\s?(?=[0-9])", "page "),
)
_AFTER_NUMBERS = (
    rule(
        "$80/dozen, 30 miles/hour, 70/min",
        "a rate",
        rf"(?:(?<=[a-z]s)|(?<=\s))\s*/\s*(?P<per>{'|'.join(_PER)})\b",
        lambda match: f" per {_PER[match['per']]}",
    ),
    rule("U.S.", "is spelt", r"\b(?:[A-Za-z]\.){2,}(?![A-Za-z])|\b(?:[A-Za-z]\.)+[A-Za-z]\b", _letters),
    rule(
        "initial",
        "no sentence ends after it",
        rf"\b([A-Z])\.(?=\s?[A-Z](?:\.|['a-z]))(?!\s?(?:{_BEGINNING})\b)",
        r"\1 ",
    ),
    rule("dot in a name", "it is said", r"(?<=\w)\.(?=[a-z])", " dot "),
    rule("and/or", "its stroke is not said", r"\band/or\b", "and or"),
    rule("stroke beside a bracket", "it divides", r"\)\s*/\s*(?=[\w(])|(?<=\w)\s*/\s*(?=\()", " divided by "),
    rule("stroke", "it is said", r"(?<=\w)\s?/\s?(?=\w)", " slash "),
    *(rule(symbol, "has a name", re.escape(symbol), f" {word} ") for symbol, word in _SYMBOLS.items()),
)


def in_words(line: str) -> str:
    """A line with numbers, abbreviations, symbols and Greek letters as words; the rest as it is."""
    line = apply((*_BEFORE_NUMBERS, *NUMBERS, *_AFTER_NUMBERS), line)
    return "".join(map(_greek, line))


def _greek(character: str) -> str:
    """A Greek letter by its name, as in ``alpha``; anything else as it is."""
    name = unicodedata.name(character, "")
    if not name.startswith("GREEK") or " LETTER " not in name:
        return character
    return f" {name.split(' LETTER ')[1].split()[0].lower()} "
