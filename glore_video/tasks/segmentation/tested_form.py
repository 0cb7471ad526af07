"""The form of a segmentation network in which it is tested and shown single files."""

from __future__ import annotations

from torch import nn

from glore_video.models.deployment.conv_bn_fusion import fuse_for_inference
from glore_video.models.networks.fcn import SegmentationNetwork


def tested_form(network: nn.Module) -> nn.Module:
    """A copy with batch norms folded, and logits of own networks as coarse as their heads give them."""
    fused = fuse_for_inference(network)
    if isinstance(fused, SegmentationNetwork):
        return fused.with_coarse_logits()
    return fused
