"""Pictures and masks: reading them, and the views of a picture that a test looks at."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import PictureError

if TYPE_CHECKING:
    from .masks import read_mask
    from .reading import read_image

# Those that need torch and Pillow; PictureError is had without.
_HOMES = {"read_image": "reading", "read_mask": "masks"}

__all__ = ["PictureError", "read_image", "read_mask"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
