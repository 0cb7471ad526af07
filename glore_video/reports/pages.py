"""The look that all pages share: templates with everything escaped, and how numbers are written."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Any

import jinja2


def percent(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.2f}%"


def ranged(ends: tuple[float, float]) -> str:
    low, high = ends
    return "" if low is None or math.isnan(low) else f"95%: {low:.2f} to {high:.2f}"


def signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "\N{MINUS SIGN}")


def signed_range(ends: tuple[float, float]) -> str:
    return f"95%: {signed(ends[0])} to {signed(ends[1])}"


def p_value(p: float) -> str:
    return "< 0.0001" if p < 0.0001 else f"= {p:.4f}" if p < 0.1 else f"= {p:.2f}"


def p_short(p: float | None) -> str:
    return "" if p is None else "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def printable(path: str) -> str:
    """A file name for a terminal; what is no text in it becomes question marks."""
    return path.encode("utf-8", "replace").decode()


def render(template: str, **values: Any) -> bytes:
    """A page as UTF-8. Text of the user is escaped; file names that are no text get question marks."""
    return _environment().get_template(template).render(**values).encode("utf-8", "replace")


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=percent,
        range=ranged,
        signed=signed,
        signed_range=signed_range,
        p_value=p_value,
        p_short=p_short,
    )
    return environment
