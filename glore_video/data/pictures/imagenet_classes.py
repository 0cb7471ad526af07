"""The 1,000 classes of ImageNet's challenge: synset ids and names that people can read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources

IMAGENET_CLASSES = range(1000)
"""Labels, as everybody has them: synset ids in the order of the alphabet."""
_SYNSET = re.compile(r"n\d{8}")


@cache
def imagenet_synsets() -> Mapping[str, str]:
    """Synset id -> name ("n01440764" -> "tench"), by label. Names are torchvision's, all different."""
    text = resources.files("glore_video").joinpath("data/pictures/imagenet_classes.txt")
    lines = text.read_text(encoding="utf-8").splitlines()
    return dict(line.split(" ", 1) for line in lines)


def imagenet_names() -> tuple[str, ...]:
    """The 1,000 names, by label."""
    return tuple(imagenet_synsets().values())


def are_synsets(names: Iterable[str]) -> bool:
    """Whether there are names, and all look like synset ids."""
    found = list(names)
    return bool(found) and all(_SYNSET.fullmatch(name) for name in found)


def readable(name: str) -> str:
    """The name of a synset's class; others stay as they are."""
    return imagenet_synsets().get(name, name) if _SYNSET.fullmatch(name) else name
