"""The parts of pytorchvideo this package builds on, imported without its warnings.

Importing it costs seconds, so callers import this module inside the function that needs it.
"""

import warnings

with warnings.catch_warnings():
    # It scripts a few activations at import, which newer torch versions call deprecated.
    warnings.simplefilter("ignore")
    from pytorchvideo.layers.nonlocal_net import create_nonlocal
    from pytorchvideo.models.resnet import create_resnet
    from pytorchvideo.models.slowfast import create_slowfast

__all__ = ["create_nonlocal", "create_resnet", "create_slowfast"]
