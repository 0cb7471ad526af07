"""The one error that reading a picture or mask raises about its file."""

from glore_video.errors import SampleError


class PictureError(SampleError):
    """A picture or mask that can't be read; its message is "<path>: <reason>". Survives pickling."""
