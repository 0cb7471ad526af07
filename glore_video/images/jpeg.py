"""JPEG by torchvision's decoder where there is one: the same pixels as Pillow's, a fifth sooner."""

from __future__ import annotations

import warnings
from typing import BinaryIO

import numpy as np
import torch

try:
    from torchvision.io import ImageReadMode, decode_jpeg
except ImportError:  # its decoders are to move to another package
    decode_jpeg = None

_DEPRECATED = "The image decoding and encoding capabilities of TorchVision"


def decode_rgb(file: BinaryIO) -> np.ndarray | None:
    """uint8 (height, width, 3) as stored, not turned. None where it can't: Pillow then says why."""
    if decode_jpeg is None:
        return None
    file.seek(0)
    data = torch.from_numpy(np.fromfile(file, np.uint8))
    warnings.filterwarnings("ignore", message=_DEPRECATED)
    try:
        planes = decode_jpeg(data, mode=ImageReadMode.RGB)
    except RuntimeError:
        return None
    return planes.permute(1, 2, 0).numpy()  # (height, width, 3), as it lies in memory
