"""Random colours, the same shift for all frames of a clip.

Frames are uint8 (frames, height, width, 3), of any memory layout; what comes back is new.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as tvf

from glore_video.pixels.draws import uniform

# OpenCV's units for 8 bits, which the GloRe repository's ranges are in: hue in steps of 2 degrees.
HLS_UNITS = (180, 255, 255)


def planar(frames: Tensor) -> Tensor:
    """(frames, height, width, 3) -> contiguous (frames, 3, height, width).

    torchvision is up to eight times faster on it than on interleaved channels.
    """
    return frames.permute(0, 3, 1, 2).contiguous()


def interleaved(pictures: Tensor) -> Tensor:
    """(frames, 3, height, width) -> (frames, height, width, 3); a view."""
    return pictures.permute(0, 2, 3, 1)


def hls_jitter(
    frames: Tensor, ranges: tuple[float, float, float], generator: torch.Generator
) -> Tensor:
    """Shift hue, lightness and saturation each by a whole number from [-range, range].

    The draw is the GloRe repository's (data/image_transforms.py, RandomHLS, whose ranges are
    15, 35, 25), in its units: see shift_hls.
    """
    shifts = [int(uniform(-limit, limit, generator)) for limit in ranges]
    return shift_hls(frames, *shifts)


def shift_hls(frames: Tensor, hue: float, lightness: float, saturation: float) -> Tensor:
    """Add to hue (in 2 degrees, 0..180), lightness and saturation (both 0..255), and clip there.

    Computed in float32 without rounding in between; OpenCV, with which the GloRe repository does it,
    rounds hue, lightness and saturation to whole numbers.
    """
    if hue == lightness == saturation == 0:
        return frames
    pictures = planar(frames)  # (frames, 3, height, width)
    out = torch.empty_like(pictures)
    shifts = [
        shift / unit for shift, unit in zip((hue, lightness, saturation), HLS_UNITS, strict=True)
    ]
    for source, target in zip(pictures, out, strict=True):  # one at a time stays in the cache
        target.copy_(_shift_hls(source.float().div_(255), *shifts).mul_(255).add_(0.5))
    return interleaved(out)


def _shift_hls(rgb: Tensor, hue: float, lightness: float, saturation: float) -> Tensor:
    """float (3, height, width) in 0..1, shifts in 0..1 -> the same shape and range."""
    red, green, blue = rgb
    high = torch.maximum(torch.maximum(red, green), blue)
    low = torch.minimum(torch.minimum(red, green), blue)
    chroma, double = high - low, high + low  # double is twice the lightness
    # 0 / tiny: grey has hue and saturation 0.
    own_saturation = chroma / torch.minimum(double, 2 - double).clamp_(min=1e-6)
    # 6 * chroma * hue where red, green or blue is the greatest; lerp with 0 or 1 for its weight picks
    # in a tenth of the time of torch.where.
    own_hue = torch.lerp(
        torch.add(blue - red, chroma, alpha=2),
        torch.add(red - green, chroma, alpha=4),
        (high - green).sign_(),
    )
    own_hue = torch.lerp(green - blue, own_hue, (high - red).sign_())
    own_hue /= (6 * chroma).clamp_(min=1e-6)
    own_hue -= own_hue.floor()
    own_hue.add_(hue).clamp_(0, 1)
    own_saturation.add_(saturation).clamp_(0, 1)
    double.add_(2 * lightness).clamp_(0, 2)
    chroma = own_saturation.mul_(torch.minimum(double, 2 - double))
    low = (double - chroma) / 2
    own_hue.mul_(6)
    ramps = torch.stack(
        [(own_hue - 3).abs_().sub_(1), 2 - (own_hue - 2).abs_(), 2 - (own_hue - 4).abs_()]
    ).clamp_(0, 1)
    return ramps.mul_(chroma).add_(low)


def colour_jitter(frames: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Brightness, contrast and saturation, in random order, each times a factor from
    [max(0, 1 - strength), 1 + strength].

    Contrast is about the mean grey level of each frame.
    """
    pictures = planar(frames)
    adjust = (tvf.adjust_brightness, tvf.adjust_contrast, tvf.adjust_saturation)
    for number in torch.randperm(3, generator=generator).tolist():
        factor = uniform(max(0.0, 1 - strength), 1 + strength, generator)
        pictures = adjust[number](pictures, factor)
    return interleaved(pictures)


def pixel_jitter(frames: Tensor, ranges: tuple[float, float], generator: torch.Generator) -> Tensor:
    """Add noise to each value of each pixel and frame: 256 even steps between two bounds.

    The bounds are drawn from [ranges[0], 0] and [0, ranges[1]], in grey levels of 255 (the GloRe
    repository's data/image_transforms.py, PixelJitter, which does not clip; uint8 must).
    """
    low, high = uniform(ranges[0], 0, generator), uniform(0, ranges[1], generator)
    # Bytes of random words take a fifth of the time of as many uniform floats.
    words = torch.empty((frames.numel() + 7) // 8, dtype=torch.int64)
    words.random_(-(2**63), None, generator=generator)
    noise = words.view(torch.uint8)[: frames.numel()].view(frames.shape).float()
    noise.mul_((high - low) / 256).add_(low + (high - low) / 512 + 0.5)
    return noise.add_(frames).clamp_(0, 255).to(torch.uint8)
