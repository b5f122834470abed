"""English numbers as the words they are read with: numerals, money, units, fractions and the rest."""

import re

from speechzoo_synth.arithmetic import ARITHMETIC
from speechzoo_synth.dates import DATES_AND_TIMES, YEAR
from speechzoo_synth.figures import amount, cardinal, ordinal, plural, year_in_words
from speechzoo_synth.refusals import MATHEMATICAL
from speechzoo_synth.rules import Match, Rule, apart, rule
from speechzoo_synth.units import CURRENCIES, NUMBER, SCALES, UNIT, UNITS

_PARTS = {2: ("half", "halves"), 4: ("quarter", "quarters")}
_VULGAR = {"½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅛": "1/8", "⅜": "3/8"}

_TO_TEN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X")
_ROMAN = {
    numeral: number for number, numeral in enumerate((*_TO_TEN, *(f"X{one}" for one in _TO_TEN)), start=1)
}
_LONG_ROMAN = "|".join(numeral for numeral in _ROMAN if len(numeral) > 1)
# IV fluids and XX chromosomes are none.
_UNLIKE_OTHERS = "|".join(numeral for numeral in _LONG_ROMAN.split("|") if numeral not in ("IV", "XX"))
# Only after these is a single letter a number.
_NUMBERED = (
    "World War|Super Bowl|Chapter|Part|Act|Scene|Volume|Book|Section|Phase|Type|Class|Article|Title|Level"
)
_RULERS = (
    "Alexander|Benedict|Catherine|Charles|Edward|Elizabeth|Ferdinand|Francis|Frederick|George|Gregory|Henry|"
    "James|John|Joseph|Leo|Leopold|Louis|Mary|Napoleon|Nicholas|Otto|Paul|Peter|Philip|Pius|Ramses|Richard|"
    "Wilhelm|William"
)


def _of_money(match: Match) -> str:
    one, many, cent, cents = CURRENCIES[match["sign"]]
    number, scale = match["number"], (match["scale"] or "").strip().lower()
    if scale:
        return f"{amount(number)} {SCALES.get(scale, scale)} {many}"
    whole, _, decimals = number.partition(".")
    if len(decimals) != 2 or not cent:
        return f"{amount(number)} {one if number == '1' else many}"
    parts = []
    if whole.strip("0,") or not int(decimals):
        parts.append(f"{cardinal(whole or '0')} {one if whole == '1' else many}")
    if int(decimals):
        parts.append(f"{cardinal(str(int(decimals)))} {cent if decimals == '01' else cents}")
    return " and ".join(parts)


def _of_unit(match: Match) -> str:
    one, many = UNITS[match["unit"]]
    unit = _to_the_power(one if match["number"] == "1" else many, match["power"])
    per = f" per {_to_the_power(UNITS[match['per']][0], match['per_power'])}" if match["per"] else ""
    return f"{amount(match['number'])} {unit}{per}"


def _to_the_power(unit: str, power: str | None) -> str:
    """Square meters, and seconds squared."""
    if power is None:
        return unit
    if unit in ("second", "seconds", "hour", "hours", "minute", "minutes"):
        return f"{unit} {'squared' if power in '²2' else 'cubed'}"
    return f"{'square' if power in '²2' else 'cubic'} {unit}"


def _of_fraction(match: Match) -> str:
    above, below = int(match["above"]), int(match["below"])
    whole = f"{cardinal(match['whole'])} and " if match["whole"] else ""
    if not 2 <= below <= 100 or above >= below or above == 0:
        return f"{whole}{cardinal(match['above'])} over {cardinal(match['below'])}"
    one, many = _PARTS.get(below, (ordinal(below), ordinal(below) + "s"))
    if whole and above == 1:
        return f"{whole}a {one}" if below in _PARTS else f"{whole}one {one}"
    return f"{whole}{cardinal(match['above'])} {one if above == 1 else many}"


def _of_nine_eleven(match: Match) -> str:
    """A day, unless the line is about fractions."""
    fraction = re.search(
        rf"{MATHEMATICAL}|[*<>]|fraction|decimal|numerator|denominator|simplif", match.string
    )
    return match[0] if fraction else "nine eleven"


def _of_feet(match: Match) -> str:
    feet, inches = match["feet"], match["inches"]
    words = f"{cardinal(feet)} {'foot' if feet == '1' else 'feet'}"
    return f"{words} {amount(inches)} {'inch' if inches == '1' else 'inches'}" if inches else words


def _of_inches(match: Match) -> str:
    """Inches, unless the mark closes a quotation."""
    if re.search(r'(?<![^\s(])"[^"]*$', match.string[: match.start()]):
        return match[0]
    return f"{amount(match['inches'])} {'inch' if match['inches'] == '1' else 'inches'}"


def _of_lone_feet(match: Match) -> str:
    """Feet, unless the mark closes a quotation."""
    quoted = re.search(r"(?<!\w)'", match.string[: match.start()])
    return match[0] if quoted else _of_feet(match)


def _of_arc(match: Match) -> str:
    seconds = f" {amount(match['seconds'])} seconds" if match["seconds"] else ""
    return f"{cardinal(match['minutes'])} minutes{seconds}"


def _of_roman(match: Match) -> str:
    return f"{match['name']} {cardinal(str(_ROMAN[match['numeral']]))}{match['own'] or ''}"


def _of_ruler(match: Match) -> str:
    return f"{match['name']} the {ordinal(_ROMAN[match['numeral']])}{match['own'] or ''}"


def _of_version(match: Match) -> str:
    return " point ".join(cardinal(part) for part in match[0].split("."))


_OWN = r"(?P<own>'s)?(?!\w)"
_NAMES = (
    apart(
        "World War I",
        "a numeral",
        rf"\b(?P<name>{_NUMBERED}) (?P<numeral>{'|'.join(_ROMAN)})\b{_OWN}",
        _of_roman,
    ),
    apart(
        "Henry VIII",
        "a numeral that ranks",
        rf"\b(?P<name>{_RULERS}) (?P<numeral>{_LONG_ROMAN})\b{_OWN}",
        _of_ruler,
    ),
    apart(
        "Rocky II", "a numeral", rf"\b(?P<name>[A-Z][a-z]+) (?P<numeral>{_UNLIKE_OTHERS})\b{_OWN}", _of_roman
    ),
    rule("24/7", "a saying", r"(?<![\w/.])24/7(?![\w/])", "twenty-four seven"),
    apart(
        "50/50, 20/20",
        "a saying",
        r"(?<![\w/.])([25]0)/\1(?![\w/])",
        lambda m: " ".join([cardinal(m[1])] * 2),
    ),
    apart(
        "1983/84",
        "two years",
        rf"(?<![\w/.])(?P<year>{YEAR})/(?P<next>[0-9]{{2}})(?![\w/])",
        lambda match: f"{year_in_words(match['year'])} to {cardinal(match['next'])}",
    ),
    rule("9/11", "a day", r"(?<![\w/.])9/11(?![\w/])", _of_nine_eleven),
    rule(
        "10 000",
        "a space within one number",
        r"(?<![\w.,])(?<![0-9] )(?:[0-9]{1,2}(?: [0-9]{3}){1,3}|[0-9]{3}(?: [0-9]{3}){1,2}(?= [a-zA-Z]))"
        r"(?![\w.,]*[0-9])(?! [0-9])",
        lambda match: match[0].replace(" ", ""),
    ),
)
_LENGTHS_AND_ANGLES = (
    apart(
        "59° 30'",
        "minutes of an angle",
        r"(?<=°)\s?(?P<minutes>[0-9]{1,2})\s?['′](?:\s?(?P<seconds>[0-9]{1,2}(?:\.[0-9]+)?)\s?[\"″])?",
        _of_arc,
    ),
    apart(
        "6'2\"",
        "feet and inches",
        r"(?<![\w'])(?P<feet>[0-9]{1,3})['′]\s?(?P<inches>[0-9]{1,2}(?:\.[0-9]+)?)(?!\w)(?:\s?[\"″]|'')?",
        _of_feet,
    ),
    rule(
        "6'",
        "feet, or the end of a quotation",
        r"(?<![\w'.])(?P<feet>[0-9]{1,3})['′](?P<inches>(?!))?(?!\w)",
        _of_lone_feet,
    ),
    rule(
        '12"', "inches, or the end of a quotation", rf"(?<![\w.,])(?P<inches>{NUMBER})[\"″](?!\w)", _of_inches
    ),
)
_QUANTITIES = (
    apart(
        "$3.50, €2bn",
        "money; one letter is a scale only beside the number: $20 T-shirt",
        rf"(?P<sign>[$€£¥₹])\s?(?P<number>{NUMBER})"
        r"(?P<scale>\s?(?:thousand|million|billion|trillion|bn|tn)\b|[kKmMbBtT](?![\w&-]))?",
        _of_money,
    ),
    apart("B-52s", "several of a name", r"(?<=[a-zA-Z]-)([0-9]+)'?s\b", lambda m: plural(cardinal(m[1]))),
    apart(
        "49ers", "who has that name", r"\b([0-9]+)ers\b", lambda m: f"{cardinal(m[1]).removesuffix('e')}ers"
    ),
    rule("100s", "many, not seconds", r"\b100s\b", "hundreds"),
    rule("1,000s", "many, not seconds", r"\b1,?000s\b", "thousands"),
    apart(
        "60 km/h, 20 m²",
        "a unit",
        rf"(?<![0-9])(?<![a-zA-Z]-)(?P<number>{NUMBER})\s?(?P<unit>{UNIT})(?P<power>[²³23])?"
        rf"(?:/(?P<per>{UNIT})(?P<per_power>[²³23])?)?(?![\w°²³])",
        _of_unit,
    ),
    apart("22nd", "an ordinal", r"\b([0-9]{1,9})(?:st|nd|rd|th)\b", lambda match: ordinal(int(match[1]))),
    apart(
        "1 1/2",
        "a fraction",
        r"(?<![0-9/.])(?:(?P<whole>[0-9]+)\s+)?(?P<above>[0-9]+)\s?[/⁄]\s?(?P<below>[0-9]+)(?![0-9/])",
        _of_fraction,
    ),
    apart(
        "1984",
        "a year, said by its halves",
        rf"(?<![\w.,]){YEAR}(?![\w%°]|[.,][0-9])",
        lambda match: year_in_words(match[0]),
    ),
    apart("1,234.5", "any other number", NUMBER, lambda match: amount(match[0])),
)

NUMBERS: tuple[Rule, ...] = (
    *(
        rule(sign, "a fraction in one sign", rf"(?<=[0-9]){sign}", f" {fraction}")
        for sign, fraction in _VULGAR.items()
    ),
    *(rule(sign, "a fraction in one sign", sign, fraction) for sign, fraction in _VULGAR.items()),
    *_NAMES,
    *_LENGTHS_AND_ANGLES,
    *DATES_AND_TIMES,
    apart("1.2.3", "a version", r"(?<![0-9.])[0-9]+(?:\.[0-9]+){2,}", _of_version),
    *ARITHMETIC,
    *_QUANTITIES,
)
"""Every number as words, by what stands around it: a sign of money, a unit, a month, a colon.

In this order: what is more particular comes first and leaves words behind, which no later rule touches. Four
digits from 1100 to 2099 that nothing stands around are a year, which is also how such numbers are said.
"""
