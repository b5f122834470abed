"""Days, times, decades and groups of digits, such as those of telephones, as the words they are read with."""

import calendar
import re
from datetime import date

from speechzoo_synth.figures import cardinal, digit_by_digit, ordinal, plural, year_in_words
from speechzoo_synth.rules import Match, Rule, apart, rule

# Ten hundred years are read by their halves: eighteen sixty-five. Below and above, numbers read alike.
YEAR = r"(?:1[1-9][0-9]{2}|20[0-9]{2})"
_MONTHS = {name[:3]: name for name in list(calendar.month_name)[1:]}
_MONTH = rf"(?P<month>{'|'.join(rf'{name}|{short}[.]?' for short, name in _MONTHS.items())}|Sept[.]?)"


def _day(name: str) -> str:
    return rf"(?P<{name}>[12][0-9]|3[01]|0?[1-9])(?:st|nd|rd|th)?"


_HOUR = r"(?P<hour>[01]?[0-9]|2[0-3]|24(?=:00))"


def _of_groups(match: Match) -> str:
    """``2020-05-01`` is a date; telephone numbers and the like are read digit by digit."""
    try:
        day = date.fromisoformat(match[0])
    except ValueError:
        return ", ".join(digit_by_digit(group) for group in re.findall(r"[0-9]+", match[0]))
    return f"{day:%B} {ordinal(day.day)}, {year_in_words(str(day.year))}"


def _of_slashes(match: Match) -> str:
    """``12/25/2020`` and ``25/12/2020``; of 5/1/2020 nobody knows which is the month."""
    one, two, year = int(match["one"]), int(match["two"]), match["year"]
    if 1 <= min(one, two) <= 12 < max(one, two) <= 31:
        return f"{calendar.month_name[min(one, two)]} {ordinal(max(one, two))}, {year_in_words(year)}"
    return f"{cardinal(match['one'])}, {cardinal(match['two'])}, {year_in_words(year)}"


def _of_date(match: Match) -> str:
    """``July 4, 1776`` and ``5-7 May``."""
    days = [ordinal(int(day)) for day in (match["first"], match["last"]) if day]
    year = f", {year_in_words(match['year'])}" if match["year"] else ""
    return f"{_MONTHS[match['month'][:3]]} {' to '.join(days)}{year}"


def _of_time(match: Match) -> str:
    hour, minute, half = match["hour"], match["minute"], match["half"]
    words = cardinal(str(int(hour)))
    if minute and int(minute):
        words += f" oh {cardinal(minute[1])}" if minute[0] == "0" else f" {cardinal(minute)}"
    elif minute and not half:
        words += " o'clock" if 1 <= int(hour) <= 12 else " hundred"
    return words + (f" {half[0].lower()} m" if half else "")


def _of_decade(match: Match) -> str:
    return plural(year_in_words(match["year"]) if match["year"] else cardinal(match["tens"]))


DATES_AND_TIMES: tuple[Rule, ...] = (
    apart(
        "(212) 555-1234",
        "a telephone number",
        r"\([0-9]{3}\)\s?[0-9]{3}-[0-9]{4}(?![\w-])",
        _of_groups,
    ),
    apart(
        "555-1234",
        "a telephone number is no range",
        r"(?:(?<![\w.-])555|(?<=[Cc]all )[0-9]{3}|(?<=[Dd]ial )[0-9]{3})-[0-9]{4}(?![\w-])",
        _of_groups,
    ),
    apart(
        "2020-05-01, 555-123-4567",
        "a date, or digits",
        r"(?<![0-9.$€£¥₹-])[0-9]+(?:-[0-9]+){2,}(?![0-9-]|\.[0-9])",
        _of_groups,
    ),
    apart(
        "12/25/2020",
        "a date, no fraction",
        r"(?<![0-9/.])(?P<one>[0-3]?[0-9])/(?P<two>[0-3]?[0-9])/(?P<year>[0-9]{4})(?![0-9/])",
        _of_slashes,
    ),
    apart(
        "July 4, 1776; May 5-7",
        "days are counted",
        rf"\b{_MONTH}\s+{_day('first')}\b(?:\s?[-–]\s?{_day('last')}\b)?(?:,?\s+(?P<year>{YEAR}))?(?![0-9:%])",
        _of_date,
    ),
    apart(
        "4 July 1776; 5-7 May",
        "days are counted",
        rf"\b(?:{_day('first')}\s?[-–]\s?)?{_day('last')}\s+{_MONTH}(?=\W|$)(?:\s+(?P<year>{YEAR})\b)?",
        _of_date,
    ),
    rule(
        "9:00-9:30, 9am-5pm",
        "from one time to another",
        r"(?<=[0-9]:[0-9]{2})\s?[-–]\s?(?=[0-9]{1,2}:[0-9]{2})|(?<=[0-9][aApP][mM])\s?[-–]\s?(?=[0-9])",
        " to ",
    ),
    apart(
        "3:30 pm, 5 p.m.",
        "a time",
        rf"(?<![$€£¥₹.])\b{_HOUR}(?:[:.](?P<minute>[0-5][0-9]))?\s?(?P<half>[aApP]\.\s?[mM]\.|[aApP][mM]\b)",
        _of_time,
    ),
    apart(
        "15:30", "a time", rf"(?<![0-9:]){_HOUR}:(?P<minute>[0-5][0-9])(?![0-9:])(?P<half>(?!))?", _of_time
    ),
    # It takes 20s: seconds.
    apart(
        "the 1990s, the '80s, her 20s",
        "a decade",
        r"\b(?P<year>1[1-9][0-9]0|20[0-9]0)'?s\b"
        r"|(?:(?<!\w)'|(?<=the )|(?<=his )|(?<=her )|(?<=their )|(?<=my )|(?<=your )"
        r"|(?<=early )|(?<=mid-)|(?<=late ))"
        r"(?P<tens>[2-9]0)'?s\b",
        _of_decade,
    ),
)
