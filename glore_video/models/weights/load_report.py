"""What was loaded into a network, key by key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from glore_video.models.networks.inserted_units import is_unit_key

GROUPS = ("head", "units")
BACKBONE = "backbone"


@dataclass(frozen=True)
class LoadReport:
    """What `load_weights` did, key by key.

    Attributes:
        source: the file.
        format: who wrote it, in words.
        heads: paths of the network's classifier, the layers whose outputs are the logits; of a network
            for segmentation of its whole heads.
        loaded: keys taken from the file.
        newly_initialised: keys of the network that keep their initialisation.
        mismatched: those of `newly_initialised` that the file has in another shape, as
            key -> (shape in the file, shape in the network).
        unexpected: keys of the file that the network does not have.
        inflated: those of `loaded` that were 2D kernels and fill 3D ones.
        beside: keys of the file outside of what wraps the network in it, such as a loss's weights;
            left out.
    """

    source: str = ""
    format: str = ""
    heads: tuple[str, ...] = ()
    loaded: list[str] = field(default_factory=list)
    newly_initialised: list[str] = field(default_factory=list)
    mismatched: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=dict)
    unexpected: list[str] = field(default_factory=list)
    inflated: list[str] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)

    def group(self, key: str) -> str:
        """The group of a key: "head", "units" or "backbone"."""
        if is_unit_key(key):
            return "units"
        return "head" if key.startswith(tuple(f"{head}." for head in self.heads)) else BACKBONE

    def __str__(self) -> str:
        rows = [
            ("loaded", self.loaded),
            ("  of these inflated from 2D", self.inflated),
            ("newly initialised", self.newly_initialised),
            ("  of these in another shape", list(self.mismatched)),
            ("unexpected, left out", self.unexpected),
        ]
        columns = (BACKBONE, *GROUPS)
        lines = [
            f"{self.source} ({self.format})",
            f"{'parameters':<28}" + "".join(f"{name:>10}" for name in columns),
        ]
        for name, keys in rows:
            if name.startswith(" ") and not keys:
                continue
            groups = [self.group(key) for key in keys]
            counts = "".join(f"{groups.count(column):>10}" for column in columns)
            few = f"  {brief(keys)}" if keys and name not in ("loaded", rows[1][0]) else ""
            lines.append(f"{name:<28}{counts}{few}")
        if self.beside:
            lines.append(f"beside the network, left out: {brief(self.beside)}")
        return "\n".join(lines)


def brief(keys: Sequence[str]) -> str:
    shown = ", ".join(keys[:3])
    return f"{shown}, ... ({len(keys)} in all)" if len(keys) > 3 else shown
