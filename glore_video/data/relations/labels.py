"""Two labellings of samples that show two objects, each of one kind.

- pair: which two kinds, in any order. Seeing each object on its own is enough.
- same: whether both are of one kind (2 classes). All kinds are equally frequent in either class, so
  adding up what is seen at each place tells nothing: distant places must be related.

Of videos a kind is a direction of motion, of pictures a direction of stripes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, combinations_with_replacement
from typing import Literal, TypeAlias

import numpy as np

from glore_video.errors import UsageError

Labels: TypeAlias = Literal["pair", "same"]


def class_names(labels: Labels, kinds: Sequence[str]) -> list[str]:
    """Class names in the order of the labels: of four kinds 10 for `pair`, 2 for `same`."""
    _check_labels(labels)
    if labels == "pair":
        return [f"{a}_{b}" for a, b in combinations_with_replacement(kinds, 2)]
    return ["different", "same"]


def kinds_and_label(
    labels: Labels, kinds: Sequence[str], index: int, rng: np.random.Generator
) -> tuple[tuple[str, str], int]:
    """Kinds of the two objects in sample `index` of a split, and the sample's label.

    Labels take turns, so a split is balanced to within one sample. In `same`, either class goes in
    turn through its pairs of kinds; of four kinds, 24 samples in a row hold every case equally often.
    """
    _check_labels(labels)
    if labels == "pair":
        pairs = list(combinations_with_replacement(kinds, 2))
        label = index % len(pairs)
        pair = pairs[label]
    else:
        label = index % 2
        ways = [(kind, kind) for kind in kinds] if label else list(combinations(kinds, 2))
        pair = ways[index // 2 % len(ways)]
    return (pair if rng.random() < 0.5 else pair[::-1]), label


def _check_labels(labels: str) -> None:
    if labels not in ("pair", "same"):
        raise UsageError(f"labels is {labels!r}, but must be 'pair' or 'same'")
