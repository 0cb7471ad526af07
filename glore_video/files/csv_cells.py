"""Cells of CSV files that spreadsheets would run as formulas: kept from it, and read back.

A spreadsheet computes what begins with = + - or @, also after a tab or a carriage return, and runs
what a file's name says. An apostrophe in front makes it a text there, as OWASP advises for CSV.
"""

from __future__ import annotations

_BEGINNINGS = ("=", "+", "-", "@", "\t", "\r")


def protected(text: str) -> str:
    """The text for a cell: with an apostrophe in front if it would be a formula. For texts only."""
    return f"'{text}" if text.lstrip("'").startswith(_BEGINNINGS) else text


def original(cell: str) -> str:
    """The text of which `protected` made a cell."""
    return cell[1:] if cell[:1] == "'" and protected(cell) != cell else cell
