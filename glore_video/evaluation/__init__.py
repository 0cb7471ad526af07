"""View averaging, accuracies and the files a test leaves."""

from glore_video.evaluation.results import Scores, Summary, summarize, write_results
from glore_video.evaluation.views import (
    clip_accuracy,
    top_k_accuracy,
    top_predictions,
    video_probabilities,
)

__all__ = [
    "Scores",
    "Summary",
    "clip_accuracy",
    "summarize",
    "top_k_accuracy",
    "top_predictions",
    "video_probabilities",
    "write_results",
]
