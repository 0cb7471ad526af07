"""Files of weights by URL: fetched once, kept, and checked each time they are used."""

from __future__ import annotations

import hashlib
import os
import re
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

from glore_video.errors import MissingFileError, UsageError

_URL = re.compile(r"^(https?|ftp|file)://")
# torch.hub's convention: a file's name ends with the start of its SHA-256.
_NAMED_HASH = re.compile(r"-([0-9a-f]{8,64})\.[^.]+$")


def is_url(source: object) -> bool:
    return isinstance(source, str) and _URL.match(source) is not None


def fetch(url: str) -> Path:
    """Path of a URL's file on this machine, downloaded through iopath unless it is there already.

    Files are kept in $GLORE_VIDEO_CACHE, else in iopath's cache ($FVCORE_CACHE, else
    ~/.torch/iopath_cache), in folders named after host and path. At the first use the SHA-256 is
    written beside the file (`<name>.sha256`, as sha256sum writes it) and compared at every later
    one; a name that ends with the start of a hash (`resnet50-0676ba61.pth`) is held to it.

    Raises:
        FileNotFoundError: if it is not here and cannot be downloaded.
        ValueError: if the file is not what it was at the first use, or not what its name says.
    """
    if url.startswith("file://"):
        return Path(url2pathname(urlparse(url).path))
    # iopath takes a moment to import.
    from iopath.common.file_io import HTTPURLHandler, PathManager, get_cache_dir

    root = os.environ.get("GLORE_VIDEO_CACHE") or get_cache_dir()
    try:
        cache = Path(root).expanduser() / (urlparse(url).hostname or "")
    except ValueError as error:
        raise UsageError(f"{url} is not an address: {error}") from None
    manager = PathManager()
    manager.register_handler(HTTPURLHandler())
    try:
        path = Path(manager.get_local_path(url, cache_dir=str(cache)))
    except HTTPException as error:  # of an address with spaces, or an answer that is none
        raise UsageError(f"cannot download {url} ({error})") from None
    except OSError as error:
        name = url.rpartition("/")[2]
        raise MissingFileError(
            f"cannot download {url} ({error}); fetch it elsewhere and give the path of {name}"
        ) from None
    _check_hash(path)
    return path


def _check_hash(path: Path) -> None:
    digest = _sha256(path)
    named = _NAMED_HASH.search(path.name)
    if named and not digest.startswith(named[1]):
        raise UsageError(
            f"{path} has SHA-256 {digest}, its name says {named[1]}...; delete it to fetch it again"
        )
    note = path.with_name(f"{path.name}.sha256")
    if note.is_file():
        noted = note.read_text(encoding="utf-8", errors="replace").partition(" ")[0].strip()
        if noted != digest:
            raise UsageError(
                f"{path} has changed since it was downloaded: its SHA-256 is {digest}, {note.name} "
                f"has {noted}; delete both to fetch it again"
            )
        return
    # Several processes may get here at once; each writes the same whole file.
    part = note.with_name(f"{note.name}.{os.getpid()}")
    part.write_text(f"{digest}  {path.name}\n", encoding="utf-8")
    part.replace(note)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
