"""Speech units in what the echo decoder writes."""

import re

_WORD_START = "\u2581"
_PIECE = re.compile(r"<\|unit_(.*?)\|>")
_NUMBER = re.compile(r"\d+")


def units_in(decoded: str, how_many: int) -> list[int]:
    """Units, 0 to ``how_many`` - 1, in decoded unit tokens; other numbers are dropped.

    Published tokens are pieces such as ``<|unit_▁837_81_194|>``: ▁ starts a word of units, _ joins them, and
    a number may go on in the next piece. So they are put together before any is read. Text without ▁ is
    read as it is, digits of stray text tokens too.
    """
    text = "".join(_PIECE.findall(decoded)) if _WORD_START in decoded else decoded
    return [unit for unit in map(int, _NUMBER.findall(text)) if unit < how_many]
