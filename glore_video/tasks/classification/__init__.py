"""View averaging, accuracies and the files a test leaves."""

from glore_video.tasks.classification.ensembling import Ensemble, ViewChoice, choose_views, ensemble
from glore_video.tasks.classification.results import Scores, Summary, summarize, write_results
from glore_video.tasks.classification.saved_scores import (
    SavedScores,
    ViewPlan,
    load_scores,
    save_scores,
)
from glore_video.tasks.classification.views_merging import (
    clip_accuracy,
    merged_probabilities,
    top_k_accuracy,
    top_predictions,
)

__all__ = [
    "Ensemble",
    "SavedScores",
    "Scores",
    "Summary",
    "ViewChoice",
    "ViewPlan",
    "choose_views",
    "clip_accuracy",
    "ensemble",
    "load_scores",
    "merged_probabilities",
    "save_scores",
    "summarize",
    "top_k_accuracy",
    "top_predictions",
    "write_results",
]
