"""The configuration schema and how it is loaded."""

from glore_video.config.loading import describe, flatten, load_config, to_yaml, with_values
from glore_video.config.resuming import Change, changes
from glore_video.config.schema import Config
from glore_video.config.shipped import shipped_config, shipped_configs

__all__ = [
    "Change",
    "Config",
    "changes",
    "describe",
    "flatten",
    "load_config",
    "shipped_config",
    "shipped_configs",
    "to_yaml",
    "with_values",
]
