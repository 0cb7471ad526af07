"""What is known of a network beside its weights: input, colours, classifier."""

from __future__ import annotations

from dataclasses import dataclass

Colour = tuple[float, float, float]

KINETICS_MEAN: Colour = (0.45, 0.45, 0.45)
KINETICS_STD: Colour = (0.225, 0.225, 0.225)


@dataclass(frozen=True, kw_only=True)
class NetworkInfo:
    """How a network by name is fed, as its publishers do it.

    Attributes:
        name: as `create_model` takes it.
        input_shape: of one sample: (3, frames, height, width) of clips, (3, height, width) of
            pictures.
        mean, std: of channels R, G, B, in units in which white is 1.
        interpolation: how pictures are scaled ("bilinear", "bicubic").
        heads: paths of the layers whose outputs are the logits.
    """

    name: str
    input_shape: tuple[int, ...]
    mean: Colour
    std: Colour
    interpolation: str = "bilinear"
    heads: tuple[str, ...] = ()

    @property
    def takes_clips(self) -> bool:
        """Whether the network takes clips; otherwise pictures."""
        return len(self.input_shape) == 4
