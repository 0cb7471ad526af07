"""Search of the largest batch that fits: doubling, then bisection. Integers alone."""

from __future__ import annotations

from collections.abc import Callable

from glore_video.errors import UsageError

_FINE = 32


def largest_batch(
    needs: Callable[[int], int | None], *, step: int = 1, limit: int, room: int
) -> int:
    """The largest batch that was tried and fits; 0 if none does.

    Memory need not grow evenly: what is returned was tried and fits; something was tried that is larger by
    a step, or by a 32nd, and does not fit, unless the limit is returned.

    Args:
        needs: bytes that a batch needs; None: more than there are.
        step: batches are multiples of it.
        limit: none larger is tried.
        room: bytes that a batch may need.

    Raises:
        UsageError: for a limit below the step, or numbers that are not positive.
    """
    if min(step, room) < 1 or limit < step:
        raise UsageError(
            f"step and room must be positive, limit step or more; got {step}, {room}, {limit}"
        )

    def fits(steps: int) -> bool:
        needed = needs(steps * step)
        return needed is not None and needed <= room

    most = limit // step
    low, high = 0, most + 1
    # One input alone is no batch to a batch norm behind a pooling: two are tried before one.
    trying = min(2, most)
    while high - low > max(1, low // _FINE):
        if fits(trying):
            low = trying
        else:
            high = trying
        trying = min(2 * low, most) if high > most else (low + high) // 2
    return low * step
