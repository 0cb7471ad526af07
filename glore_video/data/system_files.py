"""Files and folders that systems and programs leave behind: nobody's data."""

from __future__ import annotations

# Of macOS' archives, Windows, Synology and QNAP stations, file systems and notebooks; names that begin
# with a dot (.DS_Store, ._clip.mp4, .ipynb_checkpoints, .Trash-1000) are hidden anyway.
_LEFT_BEHIND = frozenset(
    """
    __macosx thumbs.db ehthumbs.db desktop.ini @eadir @recycle @tmp #recycle #snapshot $recycle.bin
    recycler lost+found __pycache__
    """.split()
) | {"system volume information"}


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is nobody's data: hidden, or left there by a system."""
    return name.startswith(".") or name.lower() in _LEFT_BEHIND
