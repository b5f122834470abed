"""Signs of arithmetic between numbers and names: a dash that is a minus, a star that is a product."""

import re

from speechzoo_synth.refusals import MATHEMATICAL
from speechzoo_synth.rules import Match, Rule, apart, rule
from speechzoo_synth.units import NUMBER, UNIT

_TERM = r"[0-9]*[a-zA-Z][²³]?|[0-9][0-9.,]*[²³]?%?"
_START = r"(?:(?<![\w'.-])|(?<=(?<!\w)[a-zA-Z]-)|(?<=[0-9][a-zA-Z]-)|(?<=[0-9)%²³]-))"
_LEFT = rf"(?:{_START}(?P<term>{_TERM})|(?P<bracket>\)[²³]?))"
_NUMERIC = r"[$€£¥₹]?\.?[0-9]+"
_NAME = r"[0-9]*[a-zA-Z][²³]?(?!\w|['.]\w|-[a-zA-Z]{2})"
_RIGHT = rf"(?=(?P<next>{_NUMERIC}|\((?=[^()]{{0,20}}[-+*/×÷])|{_NAME}))"
_PLANE = r"(?!\w (?:plane|plot|graph|axis|axes|coordinates?)\b)"


def _mathematical(line: str) -> bool:
    return re.search(MATHEMATICAL, line) is not None


def _value(number: str) -> float:
    return float(number.replace(",", ""))


def _of_dash(match: Match) -> str:
    """``1914-18`` goes up to something, ``10-5`` takes something away."""
    first, second, dash = match["first"], match["second"], match["dash"]
    years = len(first) == 4 and len(second) in (2, 4) and first.isdigit() and second.isdigit()
    upwards = _value(first) <= _value(second)
    if len(second) == 2 and years:
        to = True
    elif dash == "−" or "=" in match.string:
        to = False
    elif match["space"]:
        to = upwards and (years or dash != "-")
    else:
        to = upwards or dash != "-"
    return f"{first}{match['unit'] or ''}{' to ' if to else ' minus '}"


def _of_prices(match: Match) -> str:
    """``$5-10`` with its sign where it is said, at the end, if it goes up to something."""
    first, second = match["first"], match["second"]
    if "=" in match.string or _value(first) > _value(second):
        return match[0]
    return f"{first} to {match['sign']}{second}"


def _of_minus(match: Match) -> str:
    """A dash between terms, unless it may be the pause of a sentence: ``Plan B - a good one``."""
    if match["bracket"] is not None or _mathematical(match.string) or _are_unknown(match):
        return f"{match['term'] or match['bracket']} minus "
    if match["term"].isupper() and match["next"].isupper():
        return f"{match['term']} to "
    return match[0]


def _are_unknown(match: Match) -> bool:
    """Whether two terms stand for numbers; a capital beside a number is a name, such as B-52."""
    letters = [sign for sign in match["term"] + match["next"] if sign.isalpha()]
    if match["space"] and re.match(r"[aAI] [a-z]{2}", match.string[match.end() :]):
        return False
    return (len(letters) == 2 and bool(match["space"])) or any(map(str.islower, letters)) or not letters


def _of_unary(match: Match) -> str:
    return " minus " if _mathematical(match.string) else match[0]


def _of_power_of_ten(match: Match) -> str:
    return f"{match[1]} times 10 to the power of {int(match[2])}"


ARITHMETIC: tuple[Rule, ...] = (
    apart(
        "1.5e-3", "the e is a power of ten", rf"(?<![\w.])({NUMBER})[eE]([-+]?[0-9]+)(?!\w)", _of_power_of_ten
    ),
    rule("2**3", "a power, not bold", r"(?<=[0-9a-z)])\*\*(?=[0-9a-z(])", " to the power of "),
    rule(
        "2*3, x * y, (1 + 2) * 3",
        "a product, not Markdown",
        rf"{_LEFT}\s*[*·⋅]\s*(?=[-−]?(?:[$€£¥₹]?\.?[0-9]|\(|[a-zA-Z][²³]?(?!\w)))",
        lambda match: f"{match['term'] or match['bracket']} times ",
    ),
    rule("-10–-5", "from below zero", r"(?<=[0-9])\s*[–]\s*[-−](?=\.?[0-9])", " to minus "),
    rule(
        "3 - -5",
        "takes away what is below zero",
        r"(?<=[0-9a-z)%²³])\s*[-–−]\s*[-−](?=[$€£¥₹]?\.?[0-9])",
        " minus minus ",
    ),
    rule(
        "-5, -$5, –5",
        "a minus, not a hyphen",
        r"(?<![\w.)\]%°])(?:[-−]|(?<![0-9] )–)(?=[$€£¥₹]?\.?[0-9])",
        " minus ",
    ),
    rule("2 x 3", "a product", r"(?<=[0-9])\s*[x×]\s*(?=[0-9])", " times "),
    rule("3:1", "a ratio", r"(?<=[0-9])\s?:\s?(?=[0-9])", " to "),
    rule(
        "$5-10 million",
        "the sign belongs to both",
        rf"(?P<sign>[$€£¥₹])(?P<first>{NUMBER})[-–](?P<second>{NUMBER})",
        _of_prices,
    ),
    rule(
        "5-10, 10 - 5, 5%-10%, 1914–18",
        "a range, or a subtraction",
        rf"(?<![0-9])(?P<first>{NUMBER})(?P<unit>\s?(?:%|[mbtr]{{1,2}}illion|[kKMB]|bn|{UNIT})(?![\w²³]))?"
        rf"(?P<space>\s*)(?P<dash>[-–−]|(?<! )—(?! ))\s*(?=[$€£¥₹]?(?P<second>{NUMBER}))",
        _of_dash,
    ),
    rule(
        "x - y, 2 - x, (1 + 2) - 3",
        "a subtraction, not a pause",
        rf"{_LEFT}(?P<space>\s*)[-–−]\s*{_PLANE}{_RIGHT}",
        _of_minus,
    ),
    rule(
        "OH-, a B-",
        "a charge, or a grade",
        r"(?<![\w-])((?:[A-Z][a-z]?[0-9]*){1,4})-(?=$|[.,;:?!)]|\s+(?:(?:an)?ions?|grades?|students?|averages?)\b)",
        r"\1 minus ",
    ),
    rule("-x", "a minus, not an ending", r"(?<![\w)\]%'\"-])[-−–](?=[a-zA-Z](?!\w|['-]))", _of_unary),
)
"""In this order: what is more particular comes first. Numbers stay digits here."""
