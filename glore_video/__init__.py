"""Action recognition in video with 3D networks and graph-based global reasoning."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glore_video.models import create_model, insert_glore, list_models, load_weights

__all__ = ["create_model", "insert_glore", "list_models", "load_weights"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """The public names, imported when first used: the package alone loads no torch, no decoder."""
    if name in __all__:
        from glore_video import models

        return getattr(models, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
