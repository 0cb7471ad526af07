"""Keys of the head of a segmentation network."""

from __future__ import annotations

from typing import Literal

from glore_video.config.fields import BelowOne, NonNegative, Section, key


class Head(Section):
    FORM: Literal["fcn", "glore", "glore_paddleseg", "nonlocal"] = key(
        "fcn",
        "segmentation: head of the network that MODEL.NAME or MODEL.ARCH dilates: without a unit, with "
        "a GloRe unit as the paper's code or PaddleSeg has it, with a non-local block",
    )
    CHANNELS: NonNegative = key(0, "inside the head; 0: a quarter of the backbone's last")
    NODES: NonNegative = key(0, "graph nodes of the head's GloRe unit; 0: an eighth of CHANNELS")
    STATES: NonNegative = key(0, "features of each node; 0: a quarter of CHANNELS")
    DROPOUT: BelowOne = key(0.1, "dropout before the head's classifier")
    AUXILIARY: bool = key(
        False, "a second head on the stage before the last, in training (its loss: LOSS.AUXILIARY)"
    )
    OUTPUT_STRIDE: Literal[8, 16] = key(8, "pixels between the positions that the head sees")
    MULTI_GRID: tuple[NonNegative, ...] = key(
        (), "dilations of the last stage's blocks, 4, 8, 16 say; empty: the same for all"
    )
