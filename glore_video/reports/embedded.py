"""Pictures within a page, as data URIs."""

from __future__ import annotations

import base64
import io

from PIL import Image

_QUALITY = 70


def jpeg_uri(picture: Image.Image) -> str:
    """A JPEG, for photographs."""
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=_QUALITY, optimize=True)
    return _uri("jpeg", content)


def png_uri(picture: Image.Image) -> str:
    """A PNG, for areas of one colour."""
    content = io.BytesIO()
    picture.save(content, "PNG", optimize=True)
    return _uri("png", content)


def _uri(kind: str, content: io.BytesIO) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content.getvalue()).decode()}"
