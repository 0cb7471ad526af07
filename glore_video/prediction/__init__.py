"""What a network says about a video, a folder of videos, or a camera."""

from glore_video.prediction.looking import VideoLook, look
from glore_video.prediction.recognition import Prediction, predict
from glore_video.prediction.windows import Timeline, Window, window_timeline

__all__ = ["Prediction", "Timeline", "VideoLook", "Window", "look", "predict", "window_timeline"]
