"""Single numbers in English words, by num2words."""

from num2words import num2words

# Identifiers and long decimals are read digit by digit, as nobody counts in septillions.
_MOST_DIGITS = 15


def cardinal(number: str) -> str:
    """``1,234`` as one thousand two hundred and thirty-four; ``007`` digit by digit."""
    whole = number.replace(",", "")
    if len(whole) > _MOST_DIGITS or (len(whole) > 1 and whole.startswith("0")):
        return digit_by_digit(whole)
    return str(num2words(int(whole))).replace(",", "")


def digit_by_digit(number: str) -> str:
    """``007`` as zero zero seven."""
    return " ".join(num2words(int(digit)) for digit in number)


def amount(number: str) -> str:
    """``1,234.50`` as one thousand two hundred and thirty-four point five zero."""
    whole, point, decimals = number.partition(".")
    return cardinal(whole or "0") + (f" point {digit_by_digit(decimals)}" if point else "")


def ordinal(number: int) -> str:
    """22 as twenty-second."""
    return str(num2words(number, to="ordinal")).replace(",", "")


def year_in_words(year: str) -> str:
    """``1905`` as nineteen oh five."""
    return str(num2words(int(year), to="year")).replace("oh-", "oh ")


def plural(words: str) -> str:
    """``twenty`` as twenties."""
    return words[:-1] + "ies" if words.endswith("y") else words + "s"
