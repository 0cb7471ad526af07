"""What is known of a network by name beside its weights: input and colours."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from glore_video.errors import MissingFileError, UsageError
from glore_video.models.units.unit_options import Form

Colour = tuple[float, float, float]

KINETICS_MEAN: Colour = (0.45, 0.45, 0.45)
KINETICS_STD: Colour = (0.225, 0.225, 0.225)
IMAGENET_MEAN: Colour = (0.485, 0.456, 0.406)
IMAGENET_STD: Colour = (0.229, 0.224, 0.225)
# The GloRe repository's, of its video and picture networks.
GLORE_MEAN: Colour = (124 / 255, 117 / 255, 104 / 255)
GLORE_STD: Colour = (1 / (0.0167 * 255),) * 3


@dataclass(frozen=True, kw_only=True)
class NetworkInfo:
    """How a network by name is fed, as its publishers do it.

    Attributes:
        name: as `create_model` takes it.
        input_shape: of one sample: (3, frames, height, width) of clips, (3, height, width) of
            pictures.
        mean, std: of channels R, G, B, in units in which white is 1.
        interpolation: how pictures are scaled ("bilinear", "bicubic").
        scaled_side: pixels that pictures are scaled to, of which input_shape is a crop; 0 for clips.
        crop_mode: timm's word: "center", "squash" or "border".
        stride: of clips, frames from one that is taken to the next; 0 where nobody published it.
        views: that a whole test takes of a sample, as published; 1 where nobody did.
        glore_form: of the units that its publishers put into it.
    """

    name: str
    input_shape: tuple[int, ...]
    mean: Colour
    std: Colour
    interpolation: str = "bilinear"
    scaled_side: int = 0
    crop_mode: str = "center"
    stride: int = 0
    views: int = 1
    glore_form: Form = "post"

    @property
    def takes_clips(self) -> bool:
        """Whether the network takes clips; otherwise pictures."""
        return len(self.input_shape) == 4


def unknown_network(name: str, package: str, rest: str, known: Sequence[str]) -> str:
    """What to say of a name that a package does not know, with the nearest that it does."""
    near = difflib.get_close_matches(rest, known, n=3, cutoff=0.4)
    hint = f"; nearest: {', '.join(f'{package}/{each}' for each in near)}" if near else ""
    return f"unknown network {name!r}: {package} has no {rest!r}{hint}"


@contextmanager
def downloads(name: str) -> Iterator[None]:
    """Makes one line of what packages raise where weights can't be fetched.

    Raises MissingFileError if they can't be downloaded, UsageError if timm and huggingface_hub do not go
    together.
    """
    try:
        yield
    except RuntimeError as error:  # timm's
        if "Hugging Face hub" not in str(error):
            raise
        raise UsageError(
            f"{name}: this version of timm can't fetch weights with the huggingface_hub that is "
            "installed, or there is none; pip install -U timm huggingface_hub"
        ) from error
    except OSError as error:  # urllib's, requests' and huggingface_hub's errors are
        reason = str(error).strip().partition("\n")[0]
        raise MissingFileError(
            f"the weights of {name} can't be downloaded ({reason}); without a network connection "
            "build it without them and load a file"
        ) from None
