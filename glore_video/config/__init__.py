"""The configuration schema and how it is loaded."""

from glore_video.config.loading import describe, flatten, load_config, to_yaml, with_values
from glore_video.config.schema import Config

__all__ = ["Config", "describe", "flatten", "load_config", "to_yaml", "with_values"]
