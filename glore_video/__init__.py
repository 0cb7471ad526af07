"""Action recognition in video with 3D networks and graph-based global reasoning."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glore_video.models import (
        create_model,
        fuse_for_inference,
        insert_glore,
        list_models,
        load_weights,
        remove_glore,
    )
    from glore_video.prediction import predict

__all__ = [
    "create_model",
    "fuse_for_inference",
    "insert_glore",
    "list_models",
    "load_weights",
    "predict",
    "remove_glore",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """The public names, imported when first used: the package alone loads no torch, no decoder."""
    if name == "predict":
        from glore_video import prediction

        return prediction.predict
    if name in __all__:
        from glore_video import models

        return getattr(models, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """All of them, so that an interpreter completes them before they are imported."""
    return sorted({*globals(), *__all__})
