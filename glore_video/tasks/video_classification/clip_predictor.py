"""A network with all that it needs to be shown a video: clips, views, colours, class names."""

from __future__ import annotations

from dataclasses import dataclass, field

from glore_video.data.video.video_files import VIDEOS
from glore_video.data.video.video_list import VideoList
from glore_video.models.networks.network_info import KINETICS_MEAN, KINETICS_STD
from glore_video.pixels.normalize import Normalize
from glore_video.tasks.classification.predictor import ViewsPredictor
from glore_video.tasks.video_classification.dataset import EvalViews
from glore_video.video import VideoError


@dataclass(frozen=True, kw_only=True)
class ClipPredictor(ViewsPredictor):
    """A network in eval mode and how it is shown a video.

    Attributes:
        network: takes (batch, 3, frames, height, width), returns logits (batch, classes).
        views: how the views of a video are taken, as in a test; without videos.
        normalize: colours; by default Kinetics'.
    """

    kind = VIDEOS
    unreadable = VideoError
    list_type = VideoList

    views: EvalViews
    normalize: Normalize = field(default=Normalize(mean=KINETICS_MEAN, std=KINETICS_STD))
