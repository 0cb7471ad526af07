"""A network with all that it needs to be shown a video: clips, views, colours, class names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from glore_video.data.video.video_list import VideoList
from glore_video.data.watchdog import Watchdog
from glore_video.engine.inference import forward_pass
from glore_video.engine.precision import Precision
from glore_video.models.networks.network_info import KINETICS_MEAN, KINETICS_STD
from glore_video.pixels.normalize import Normalize
from glore_video.tasks.classification.view_logits import view_logits
from glore_video.tasks.video_classification.dataset import EvalViews, VideoViews

_CPU = Precision(device=torch.device("cpu"))


@dataclass(frozen=True, kw_only=True)
class Predictor:
    """A network in eval mode and how it is shown a video.

    Attributes:
        network: takes (batch, 3, frames, height, width), returns logits (batch, classes).
        class_names: by label.
        views: how the views of a video are taken, as in a test; without videos.
        normalize: colours.
        precision: device and numbers.
        batch_size: views a forward pass.
        source: where the weights are from, in words.
    """

    network: nn.Module
    class_names: tuple[str, ...]
    views: EvalViews
    normalize: Normalize = field(default=Normalize(mean=KINETICS_MEAN, std=KINETICS_STD))
    precision: Precision = field(default=_CPU)
    batch_size: int = 8
    source: str = ""

    def videos(
        self,
        paths: Sequence[str],
        *,
        indices: Sequence[int] | None = None,
        watchdog: Watchdog | None = None,
    ) -> EvalViews:
        """The data set of these videos' views."""
        videos = VideoList(Path(), paths, [0] * len(paths))
        return replace(self.views, videos=videos, indices=indices, watchdog=watchdog)

    def logits(self, views: VideoViews) -> Tensor:
        """float32 (views, classes), on the CPU."""
        forward = forward_pass(self.network, normalize=self.normalize, precision=self.precision)
        return view_logits(forward, views, self.batch_size)

    def input(self, clip: Tensor) -> Tensor:
        """The network's input: uint8 (3, frames, height, width) -> (1, 3, frames, ...)."""
        return self.normalize(clip[None], self.precision.device)
