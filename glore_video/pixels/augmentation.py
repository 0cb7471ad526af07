"""From decoded frames to a training clip: scale, crop, flip, colours, erasing; all on uint8.

Every draw is made once for a clip and holds for all its frames, noise apart. One generator gives
short side, crop and mirror image, which stay the same whatever else is switched on; another one
gives all the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from glore_video.pixels.colours import colour_jitter, hls_jitter, pixel_jitter
from glore_video.pixels.crops import (
    random_area_crop,
    random_aspect,
    random_window,
    size_with_aspect,
)
from glore_video.pixels.draws import whole
from glore_video.pixels.erasing import RandomErasing
from glore_video.pixels.rand_augment import RandAugment
from glore_video.pixels.transforms import (
    Interpolation,
    Transform,
    crop,
    horizontal_flip,
    random_crop,
    random_short_side,
    random_square,
    resize,
    resize_short_side,
    short_side_size,
)


@dataclass(frozen=True, kw_only=True)
class Framing:
    """Which part of the frames a clip shows.

    Attributes:
        short_sides: least and greatest short side that frames are scaled to, pixels.
        crop_size: side of the clip, pixels.
        flip: mirror every second clip.
        inverse_uniform: draw 1 / short side evenly instead of the short side.
        aspects: least and greatest factor of width and divisor of height, see random_aspect.
        areas, area_aspects: if given, a window of this share of the area and this width / height
            is scaled to the crop's size (random_area_crop), and short_sides and aspects mean
            nothing.
        interpolation, antialias: of scaling, see transforms.resize.
    """

    short_sides: tuple[int, int]
    crop_size: int
    flip: bool
    inverse_uniform: bool = False
    aspects: tuple[float, float] | None = None
    areas: tuple[float, float] | None = None
    area_aspects: tuple[float, float] = (3 / 4, 4 / 3)
    interpolation: Interpolation = "bilinear"
    antialias: bool = False


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """What a training clip goes through beside scaling, cropping and mirroring; as is, nothing.

    Attributes:
        rand_augment: on the whole frames, as SlowFast does it.
        rand_augment_on_crop: on the crop instead: as much cheaper as the crop is smaller.
        colour_jitter: strength of colour_jitter, 0 for none.
        hls_ranges: of hls_jitter; zeros for none.
        pixel_ranges: of pixel_jitter; zeros for none.
        erasing: comes last.
        spare_first: leave the first clip of each video unerased.
    """

    rand_augment: RandAugment | None = None
    rand_augment_on_crop: bool = False
    colour_jitter: float = 0.0
    hls_ranges: tuple[float, float, float] = (0.0, 0.0, 0.0)
    pixel_ranges: tuple[float, float] = (0.0, 0.0)
    erasing: RandomErasing | None = None
    spare_first: bool = False

    def __call__(
        self,
        frames: Tensor,
        framing: Framing,
        *,
        generator: torch.Generator,
        colours: torch.Generator,
        number: int = 0,
    ) -> Tensor:
        """uint8 (frames, height, width, 3) -> uint8 (frames, crop_size, crop_size, 3).

        Args:
            generator: draws short side, crop and mirror image.
            colours: draws all the rest.
            number: which of the clips of its video this is.
        """
        scaled = self.scaling(framing, generator=generator, colours=colours)(frames)
        return self.finish(scaled, framing, generator=generator, colours=colours, number=number)

    def scaling(
        self, framing: Framing, *, generator: torch.Generator, colours: torch.Generator
    ) -> Transform:
        """The first part, which a reader can do with each frame of the clip as it is decoded.

        It scales and crops; where RandAugment is to see whole frames, it scales. It draws when the
        first frame comes, and does the same with all.
        """
        drawn: list[Transform] = []

        def scale(frames: Tensor) -> Tensor:
            if not drawn:
                drawn.append(self._draw_scaling(frames.shape, framing, generator, colours))
            return drawn[0](frames)

        return scale

    def finish(
        self,
        frames: Tensor,
        framing: Framing,
        *,
        generator: torch.Generator,
        colours: torch.Generator,
        number: int = 0,
    ) -> Tensor:
        """The rest, for a clip whose frames went through `scaling`; the arguments as of a call."""
        on_frames = self._on_frames
        if on_frames is not None:
            frames = on_frames(frames, colours)
            if framing.areas is None:
                frames = random_crop(frames, framing.crop_size, generator)
            else:
                frames = random_area_crop(
                    frames,
                    framing.crop_size,
                    framing.areas,
                    framing.area_aspects,
                    generator,
                    interpolation=framing.interpolation,
                    antialias=framing.antialias,
                )
        if framing.flip and whole(0, 1, generator):
            frames = horizontal_flip(frames)
        if self.rand_augment is not None and self.rand_augment_on_crop:
            frames = self.rand_augment(frames, colours)
        if self.colour_jitter:
            frames = colour_jitter(frames, self.colour_jitter, colours)
        if any(self.hls_ranges):
            frames = hls_jitter(frames, self.hls_ranges, colours)
        if any(self.pixel_ranges):
            frames = pixel_jitter(frames, self.pixel_ranges, colours)
        if self.erasing is not None and not (self.spare_first and number == 0):
            frames = self.erasing(frames, colours)
        return frames

    @property
    def _on_frames(self) -> RandAugment | None:
        return None if self.rand_augment_on_crop else self.rand_augment

    def _draw_scaling(
        self,
        shape: Sequence[int],
        framing: Framing,
        generator: torch.Generator,
        colours: torch.Generator,
    ) -> Transform:
        """What is done with frames of this shape, (frames, height, width, 3)."""
        height, width = shape[1:3]
        whole_frames = self._on_frames is not None
        interpolation, antialias = framing.interpolation, framing.antialias
        scale = partial(resize, interpolation=interpolation, antialias=antialias)
        if framing.areas is not None:
            if whole_frames:
                # What SlowFast's decoding does by default; RandAugment costs by the pixel.
                least = min(framing.short_sides[0], height, width)
                return partial(
                    resize_short_side,
                    short_side=least,
                    interpolation=interpolation,
                    antialias=antialias,
                )
            window = random_window(height, width, framing.areas, framing.area_aspects, generator)
            side = framing.crop_size
            return lambda frames: scale(crop(frames, *window), side, side)
        draw = float(torch.rand((), generator=generator))
        side = random_short_side(*framing.short_sides, draw, inverse=framing.inverse_uniform)
        if framing.aspects is None:
            size = short_side_size(height, width, side)
        else:
            size = size_with_aspect(height, width, side, random_aspect(*framing.aspects, colours))
        if whole_frames:
            return lambda frames: scale(frames, *size)
        square = random_square(*size, framing.crop_size, generator)
        return lambda frames: crop(scale(frames, *size), *square)
