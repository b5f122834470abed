"""Tables in a terminal, in which nothing of a model's or data set's text is obeyed."""

import unicodedata

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

_INERT = {"Cc", "Cf", "Zl", "Zp"}


def inert(text: object) -> str:
    """One line without anything a terminal obeys: control, format and separator characters."""
    return "".join(" " if unicodedata.category(sign) in _INERT else sign for sign in str(text))


def inert_text(value: object, style: str = "") -> Text:
    # Text, not str: rich reads no markup in it.
    return Text(inert(value), style=style)


def print_table(console: Console, table: Table) -> None:
    console.print(Padding(table, (0, 0, 1, 0)))


def plain_table(title: str, *columns: str, numbers: int) -> Table:
    """Left-aligned columns, then ``numbers`` right-aligned ones."""
    table = Table(
        title=inert_text(title, "bold"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        collapse_padding=True,
        pad_edge=False,
    )
    for place, column in enumerate(columns):
        right = place >= len(columns) - numbers
        table.add_column(inert_text(column), justify="right" if right else "left", no_wrap=right)
    return table
