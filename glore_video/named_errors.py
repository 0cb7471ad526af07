"""Errors in the words of who asked: the key of the configuration or the flag that mends them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def naming(name: str) -> Iterator[None]:
    """A user's error within it is raised anew with this in front: "GLORE.LOCATION = [[[9]]]: ...".

    For errors whose words say what is wrong and not where it was asked for, of functions that are
    called from Python too.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{name}: {error}") from None
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
