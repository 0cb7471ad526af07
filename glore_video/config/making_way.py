"""Keys that take the place of others which a file below them has set."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import Any

logger = logging.getLogger("glore_video")

# What says which network it is and where its units stand, by the key that says so otherwise.
_REPLACED: dict[str, tuple[str, ...]] = {
    "MODEL.NAME": (
        *("MODEL.ARCH", "MODEL.DROPOUT_RATE", "MODEL.OPTIONS", "RESNET", "SLOWFAST"),
        *("GLORE.LOCATION", "NONLOCAL.LOCATION", "TRAIN.CHECKPOINT_FILE_PATH"),
    ),
    "MODEL.ARCH": (
        *("MODEL.NAME", "MODEL.OPTIONS", "MODEL.PRETRAINED", "GLORE.AFTER", "NONLOCAL.AFTER"),
    ),
    "GLORE.AFTER": ("GLORE.LOCATION", "GLORE.UNITS"),
    "GLORE.LOCATION": ("GLORE.AFTER", "GLORE.UNITS"),
    "GLORE.UNITS": ("GLORE.AFTER", "GLORE.LOCATION"),
    "NONLOCAL.AFTER": ("NONLOCAL.LOCATION", "NONLOCAL.UNITS"),
    "NONLOCAL.LOCATION": ("NONLOCAL.AFTER", "NONLOCAL.UNITS"),
    "NONLOCAL.UNITS": ("NONLOCAL.AFTER", "NONLOCAL.LOCATION"),
}


def make_way(tree: dict[str, Any], later: Mapping[str, Any], beside: Collection[str] = ()) -> None:
    """Takes out of a tree of keys what keys of a later source replace, in place; says so.

    MODEL.NAME on the command line, say, replaces the MODEL.ARCH of a file and the weights of that
    network. What one source says beside it stays, to be refused.

    Args:
        beside: keys of the later source that are not in `later` itself.
    """
    for name, replaced in _REPLACED.items():
        if not _value(later, name):
            continue
        gone = [
            key
            for key in replaced
            if _value(tree, key) and not _value(later, key) and not _is_among(key, beside)
        ]
        for key in gone:
            section, _, leaf = key.rpartition(".")
            del (tree[section] if section else tree)[leaf]
        if gone:
            logger.info("%s takes the place of %s", name, ", ".join(gone))


def _value(tree: Mapping[str, Any], key: str) -> Any:
    section, _, leaf = key.rpartition(".")
    inner = tree.get(section) if section else tree
    return inner.get(leaf) if isinstance(inner, Mapping) else None


def _is_among(key: str, keys: Collection[str]) -> bool:
    return any(each == key or each.startswith(f"{key}.") for each in keys)
