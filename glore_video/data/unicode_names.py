"""Names written with the same letters in other bytes: Unicode's composed and decomposed forms.

macOS stores decomposed names (NFD); other systems, editors and spreadsheets write composed ones (NFC).
"""

from __future__ import annotations

import os
import unicodedata


def same_letters(name: str) -> str:
    """The name in its composed form, equal for all that are written with the same letters."""
    return unicodedata.normalize("NFC", name)


def other_form(path: str) -> str:
    """Words for a path that is not there, where one with the same letters is; empty elsewhere."""
    for form in ("NFC", "NFD"):
        other = unicodedata.normalize(form, path)
        if other != path and os.path.exists(other):
            return (
                f" (its letters in another Unicode form, {form}, are those of a file that is there)"
            )
    return ""
