"""What is chosen by name, and limits, where several modules or a command line have to know them.

This module imports nothing of the package, so that a command offers its choices before it loads
what they stand for.
"""

from typing import Any, Literal, get_args

from glore_video.errors import UsageError

Backend = Literal["pyav", "decord", "torchcodec"]  # the library that reads videos
Damaged = Literal["error", "use_prefix"]  # what a damaged video gives
ViewSpacing = Literal["slowfast", "ends"]  # how the clips of a test are spread over a video
Merging = Literal["mean", "max", "logit_mean"]  # of a video's views
Match = Literal["path", "name"]  # what tells that two tests saw the same video
Correction = Literal["holm", "bh"]  # for many comparisons
ExportFormat = Literal["onnx", "pt2", "aoti"]

MOST_SECONDS = 365 * 86400  # of a time limit: clocks and timers take no more than a year


def check_choice(name: str, value: str, choices: Any) -> None:
    """Raise ValueError unless the value of the argument `name` is one of the Literal's."""
    allowed = get_args(choices)
    if value not in allowed:
        raise UsageError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")
