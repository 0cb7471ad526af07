"""What was seen of one file: its units' nodes in order of importance, over all inputs made of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from glore_video.errors import UsageError
from glore_video.inspection.projection import UnitInspection


@dataclass(frozen=True, kw_only=True)
class Look(ABC):
    """What was seen of a video, in clips of it, or of a picture, in one view.

    Attributes:
        path: the file.
        target: the class that importance and Grad-CAM are for.
        probability: of it, that of `predict`: the mean over the views of a test.
    """

    path: str
    target: int
    probability: float

    @property
    @abstractmethod
    def inputs(self) -> Sequence[Mapping[str, UnitInspection]]:
        """Of each input: path of a unit -> what it did."""

    @property
    @abstractmethod
    def words(self) -> str:
        """What maps were made of: "12 clips"."""

    def importance(self, unit: str) -> Tensor:
        """Of the nodes of a unit, the mean over the inputs, (nodes,)."""
        return torch.stack([units[unit].importance for units in self.inputs]).mean(0)

    def shares(self, unit: str) -> Tensor:
        """Of each node of a unit, its part of the sum of absolute importances, (nodes,) in 0..1."""
        scores = self.importance(unit).double().abs()
        return scores / scores.sum() if scores.any() else scores

    def ranking(self, unit: str) -> list[int]:
        """Nodes, the one whose importance is furthest from zero first.

        Of a unit that was never trained, whose nodes change nothing, the one whose map varies most.
        """
        scores = self.importance(unit).abs()
        if not scores.any():
            maps = [units[unit].maps.flatten(1) for units in self.inputs]
            scores = torch.stack([each.std(1) for each in maps]).mean(0)
        return scores.argsort(descending=True, stable=True).tolist()

    def choose_nodes(self, unit: str, nodes: Sequence[int] | None, count: int) -> list[int]:
        """The nodes asked for, checked, or the `count` most important ones.

        Raises UsageError for a unit or a node that is not there.
        """
        units = self.inputs[0]
        if unit not in units:
            raise UsageError(f"no GloRe unit {unit!r}; the network's are {', '.join(units)}")
        total = len(units[unit].maps)
        for node in nodes or ():
            if not 0 <= node < total:
                raise UsageError(f"unit {unit} has nodes 0..{total - 1}, not {node}")
        return list(nodes) if nodes else self.ranking(unit)[:count]


def find_unit(names: Sequence[str], wanted: str) -> str:
    """A unit by its path or by that of the block it follows; the last unit for an empty name."""
    if not wanted:
        return names[-1]
    for name in (wanted, f"{wanted}.glore"):
        if name in names:
            return name
    raise UsageError(f"no GloRe unit after {wanted!r}; the network's are {', '.join(names)}")
