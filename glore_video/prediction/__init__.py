"""What a network says about a video, a folder of videos, or a camera."""

from glore_video.tasks.video_classification.inspection import VideoLook, look
from glore_video.tasks.video_classification.prediction import Prediction, predict
from glore_video.tasks.video_classification.windows import Timeline, Window, window_timeline

__all__ = ["Prediction", "Timeline", "VideoLook", "Window", "look", "predict", "window_timeline"]
