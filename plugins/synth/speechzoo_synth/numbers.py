"""English numbers as the words they are read with: years, money, times, units, fractions and the rest."""

import calendar
import re
from collections.abc import Callable
from datetime import date
from functools import partial

from num2words import num2words

_NUMBER = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
# Ten hundred years are read by their halves: eighteen sixty-five. Below and above, numbers read alike.
_YEAR = r"(?:1[1-9][0-9]{2}|20[0-9]{2})"
# Identifiers and long decimals are read digit by digit, as nobody counts in septillions.
_MOST_DIGITS = 15

_MONTHS = {name[:3]: name for name in list(calendar.month_name)[1:]}
_MONTH = rf"(?P<month>{'|'.join(rf'{name}|{short}[.]?' for short, name in _MONTHS.items())}|Sept[.]?)"
_DAY = r"(?P<day>[12][0-9]|3[01]|0?[1-9])(?:st|nd|rd|th)?"
_CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "€": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "¥": ("yen", "yen", "", ""),
    "₹": ("rupee", "rupees", "paisa", "paise"),
}
_SCALES = {
    "k": "thousand",
    "m": "million",
    "bn": "billion",
    "b": "billion",
    "tn": "trillion",
    "t": "trillion",
}
_UNITS = {
    "km": ("kilometer", "kilometers"),
    "m": ("meter", "meters"),
    "cm": ("centimeter", "centimeters"),
    "mm": ("millimeter", "millimeters"),
    "nm": ("nanometer", "nanometers"),
    "ft": ("foot", "feet"),
    "yd": ("yard", "yards"),
    "μm": ("micrometer", "micrometers"),
    "μg": ("microgram", "micrograms"),
    "μs": ("microsecond", "microseconds"),
    "mi": ("mile", "miles"),
    "kg": ("kilogram", "kilograms"),
    "g": ("gram", "grams"),
    "mg": ("milligram", "milligrams"),
    "lb": ("pound", "pounds"),
    "lbs": ("pound", "pounds"),
    "oz": ("ounce", "ounces"),
    "L": ("liter", "liters"),
    "l": ("liter", "liters"),
    "mL": ("milliliter", "milliliters"),
    "ml": ("milliliter", "milliliters"),
    "h": ("hour", "hours"),
    "hr": ("hour", "hours"),
    "hrs": ("hour", "hours"),
    "min": ("minute", "minutes"),
    "mins": ("minute", "minutes"),
    "s": ("second", "seconds"),
    "sec": ("second", "seconds"),
    "ms": ("millisecond", "milliseconds"),
    "mph": ("mile per hour", "miles per hour"),
    "Hz": ("hertz", "hertz"),
    "kHz": ("kilohertz", "kilohertz"),
    "MHz": ("megahertz", "megahertz"),
    "GHz": ("gigahertz", "gigahertz"),
    "W": ("watt", "watts"),
    "kW": ("kilowatt", "kilowatts"),
    "kWh": ("kilowatt hour", "kilowatt hours"),
    "MW": ("megawatt", "megawatts"),
    "V": ("volt", "volts"),
    "J": ("joule", "joules"),
    "kJ": ("kilojoule", "kilojoules"),
    "N": ("newton", "newtons"),
    "Pa": ("pascal", "pascals"),
    "kPa": ("kilopascal", "kilopascals"),
    "KB": ("kilobyte", "kilobytes"),
    "MB": ("megabyte", "megabytes"),
    "GB": ("gigabyte", "gigabytes"),
    "TB": ("terabyte", "terabytes"),
    "°C": ("degree Celsius", "degrees Celsius"),
    "°F": ("degree Fahrenheit", "degrees Fahrenheit"),
    "°": ("degree", "degrees"),
}
_UNIT = "|".join(sorted((re.escape(unit) for unit in _UNITS), key=len, reverse=True))
_PARTS = {2: ("half", "halves"), 4: ("quarter", "quarters")}
_VULGAR = {"½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅛": "1/8", "⅜": "3/8"}

_TO_TEN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X")
_ROMAN = {
    numeral: number for number, numeral in enumerate((*_TO_TEN, *(f"X{one}" for one in _TO_TEN)), start=1)
}
_LONG_ROMAN = "|".join(numeral for numeral in _ROMAN if len(numeral) > 1)
# Only after these is a single letter a number.
_NUMBERED = "World War|Chapter|Part|Act|Scene|Volume|Book|Section|Phase|Type|Class|Article|Title|Level"
_RULERS = (
    "Alexander|Benedict|Catherine|Charles|Edward|Elizabeth|Ferdinand|Francis|Frederick|George|Gregory|Henry|"
    "James|John|Joseph|Leo|Leopold|Louis|Mary|Napoleon|Nicholas|Otto|Paul|Peter|Philip|Pius|Ramses|Richard|"
    "Wilhelm|William"
)

Match = re.Match[str]


def numbers_in_words(text: str) -> str:
    """The text with every number in it as words.

    What a number means is read off what stands around it: a sign of money, a unit, a month, a colon. Four
    digits from 1100 to 2099 that nothing stands around are a year, which is also how such numbers are said.
    """
    for sign, fraction in _VULGAR.items():
        text = re.sub(rf"(?<=[0-9]){sign}", f" {fraction}", text).replace(sign, fraction)
    for pattern, words in _RULES:
        text = pattern.sub(partial(_apart, words), text)
    return text


def _apart(words: Callable[[Match], str], match: Match) -> str:
    """A word must not grow together with what stood beside the digits."""
    return f" {words(match)} "


def _cardinal(digits: str) -> str:
    whole = digits.replace(",", "")
    if len(whole) > _MOST_DIGITS or (len(whole) > 1 and whole.startswith("0")):
        return _digits(whole)
    return str(num2words(int(whole))).replace(",", "")


def _digits(digits: str) -> str:
    return " ".join(num2words(int(digit)) for digit in digits)


def _amount(number: str) -> str:
    """``1,234.50`` as one thousand two hundred and thirty-four point five zero."""
    whole, point, decimals = number.partition(".")
    return _cardinal(whole or "0") + (f" point {_digits(decimals)}" if point else "")


def _ordinal(number: int) -> str:
    return str(num2words(number, to="ordinal")).replace(",", "")


def _year(digits: str) -> str:
    return str(num2words(int(digits), to="year")).replace("oh-", "oh ")


def _of_groups(match: Match) -> str:
    """``2020-05-01`` is a date; telephone numbers and the like are read digit by digit."""
    try:
        day = date.fromisoformat(match[0])
    except ValueError:
        return ", ".join(_digits(group) for group in match[0].split("-"))
    return f"{day:%B} {_ordinal(day.day)}, {_year(str(day.year))}"


def _of_slashes(match: Match) -> str:
    """``12/25/2020`` and ``25/12/2020``; of 5/1/2020 nobody knows which is the month."""
    one, two, year = int(match["one"]), int(match["two"]), match["year"]
    if 1 <= min(one, two) <= 12 < max(one, two) <= 31:
        return f"{calendar.month_name[min(one, two)]} {_ordinal(max(one, two))}, {_year(year)}"
    return f"{_cardinal(match['one'])}, {_cardinal(match['two'])}, {_year(year)}"


def _of_date(match: Match) -> str:
    month = _MONTHS[match["month"][:3]]
    year = f", {_year(match['year'])}" if match["year"] else ""
    return f"{month} {_ordinal(int(match['day']))}{year}"


def _of_money(match: Match) -> str:
    one, many, cent, cents = _CURRENCIES[match["sign"]]
    number, scale = match["number"], (match["scale"] or "").strip().lower()
    if scale:
        return f"{_amount(number)} {_SCALES.get(scale, scale)} {many}"
    whole, _, decimals = number.partition(".")
    if len(decimals) != 2 or not cent:
        return f"{_amount(number)} {one if number == '1' else many}"
    parts = []
    if whole.strip("0,") or not int(decimals):
        parts.append(f"{_cardinal(whole or '0')} {one if whole == '1' else many}")
    if int(decimals):
        parts.append(f"{_cardinal(str(int(decimals)))} {cent if decimals == '01' else cents}")
    return " and ".join(parts)


def _of_time(match: Match) -> str:
    hour, minute, half = match["hour"], match["minute"], match["half"]
    words = _cardinal(str(int(hour)))
    if minute and int(minute):
        words += f" oh {_cardinal(minute[1])}" if minute[0] == "0" else f" {_cardinal(minute)}"
    elif minute and not half:
        words += " o'clock" if 1 <= int(hour) <= 12 else " hundred"
    return words + (f" {half[0].lower()} m" if half else "")


def _of_unit(match: Match) -> str:
    one, many = _UNITS[match["unit"]]
    power = {"²": "square ", "2": "square ", "³": "cubic ", "3": "cubic "}.get(match["power"] or "", "")
    per = f" per {_UNITS[match['per']][0]}" if match["per"] else ""
    return f"{_amount(match['number'])} {power}{one if match['number'] == '1' else many}{per}"


def _of_decade(match: Match) -> str:
    words = _year(match["year"]) if match["year"] else _cardinal(match["tens"])
    return words[:-1] + "ies" if words.endswith("y") else words + "s"


def _of_fraction(match: Match) -> str:
    above, below = int(match["above"]), int(match["below"])
    whole = f"{_cardinal(match['whole'])} and " if match["whole"] else ""
    if not 2 <= below <= 100 or above >= below or above == 0:
        return f"{whole}{_cardinal(match['above'])} over {_cardinal(match['below'])}"
    one, many = _PARTS.get(below, (_ordinal(below), _ordinal(below) + "s"))
    if whole and above == 1:
        return f"{whole}a {one}" if below in _PARTS else f"{whole}one {one}"
    return f"{whole}{_cardinal(match['above'])} {one if above == 1 else many}"


def _of_range(match: Match) -> str:
    """``1914-18`` goes up to something, ``10-5`` takes something away."""
    first, second = match["first"], match["second"]
    years = len(first) == 4 and len(second) == 2
    upwards = years or match["dash"] != "-" or float(first.replace(",", "")) <= float(second.replace(",", ""))
    return f"{first} {'to' if upwards else 'minus'}"


def _of_roman(match: Match) -> str:
    return f"{match['name']} {_cardinal(str(_ROMAN[match['numeral']]))}"


def _of_ruler(match: Match) -> str:
    return f"{match['name']} the {_ordinal(_ROMAN[match['numeral']])}"


def _of_version(match: Match) -> str:
    return " point ".join(_cardinal(part) for part in match[0].split("."))


_Rule = tuple[re.Pattern[str], Callable[[Match], str]]
# In this order: what is more particular comes first and leaves words behind, which no later rule touches.
_RULES: tuple[_Rule, ...] = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (rf"\b(?P<name>{_NUMBERED}) (?P<numeral>{'|'.join(_ROMAN)})\b", _of_roman),
        (rf"\b(?P<name>{_RULERS}) (?P<numeral>{_LONG_ROMAN})\b", _of_ruler),
        (rf"\b(?P<name>[A-Z][a-z]+) (?P<numeral>{_LONG_ROMAN})\b", _of_roman),
        (r"(?<![0-9.-])[0-9]+(?:-[0-9]+){2,}(?![0-9-])", _of_groups),
        (r"(?<![0-9/.])(?P<one>[0-3]?[0-9])/(?P<two>[0-3]?[0-9])/(?P<year>[0-9]{4})(?![0-9/])", _of_slashes),
        (rf"\b{_MONTH}\s+{_DAY}\b(?:,?\s+(?P<year>{_YEAR}))?(?![0-9:%])", _of_date),
        (rf"\b{_DAY}\s+{_MONTH}(?=\W|$)(?:\s+(?P<year>{_YEAR})\b)?", _of_date),
        (
            rf"(?P<sign>[$€£¥₹])\s?(?P<number>{_NUMBER})"
            r"(?P<scale>\s?(?:thousand|million|billion|trillion|[kK]|[mM]|bn|[bB]|tn|[tT])\b)?",
            _of_money,
        ),
        (
            r"\b(?P<hour>[01]?[0-9]|2[0-3])(?:[:.](?P<minute>[0-5][0-9]))?\s?"
            r"(?P<half>[aApP]\.\s?[mM]\.|[aApP][mM]\b)",
            _of_time,
        ),
        (
            r"(?<![0-9:])(?P<hour>[01]?[0-9]|2[0-3]):(?P<minute>[0-5][0-9])(?![0-9:])(?P<half>(?!))?",
            _of_time,
        ),
        (r"\b(?P<year>1[1-9][0-9]0|20[0-9]0)'?s\b|'?(?<![\w.])(?P<tens>[2-9]0)(?:'s|s)\b", _of_decade),
        (r"(?<=[0-9])\s?:\s?(?=[0-9])", lambda _: "to"),
        (r"(?<![0-9.])[0-9]+(?:\.[0-9]+){2,}", _of_version),
        (rf"(?<![0-9])(?P<first>{_NUMBER})(?P<dash>[-–—])(?=(?P<second>{_NUMBER}))", _of_range),
        (r"(?<=[0-9])\s*[x×*]\s*(?=[0-9])", lambda _: "times"),
        (r"(?:(?<=[0-9])|(?<=\b[a-z]))\s+[-−]\s+(?=[0-9])", lambda _: "minus"),
        (r"(?<![\w.)\]])[-−](?=[$€£¥₹]?\.?[0-9])", lambda _: "minus"),
        (
            rf"(?<![0-9])(?P<number>{_NUMBER})\s?(?P<unit>{_UNIT})(?P<power>[²³23])?(?:/(?P<per>{_UNIT}))?(?![\w°²³])",
            _of_unit,
        ),
        (r"\b([0-9]{1,9})(?:st|nd|rd|th)\b", lambda m: _ordinal(int(m[1]))),
        (
            r"(?<![0-9/.])(?:(?P<whole>[0-9]+)\s+)?(?P<above>[0-9]+)\s?[/⁄]\s?(?P<below>[0-9]+)(?![0-9/])",
            _of_fraction,
        ),
        (rf"(?<![\w.,]){_YEAR}(?![\w%°]|[.,][0-9])", lambda m: _year(m[0])),
        (_NUMBER, lambda m: _amount(m[0])),
    )
)
