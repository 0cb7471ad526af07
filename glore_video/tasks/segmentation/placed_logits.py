"""The class of every pixel, from logits that are coarser than pixels and of parts of a picture.

On a CPU a strip of rows at a time: logits of all classes are there for one strip only, which stays in
the processor's cache.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import torch
from torch import Tensor
from torch.nn import functional as F

_STRIP = 2**18  # logits in it: of 19 classes and 2048 columns 6 rows


@dataclass(frozen=True)
class PlacedLogits:
    """Logits of a rectangle of a picture.

    Attributes:
        logits: float32 (classes, h, w); they are scaled to the rectangle, bilinearly, corners not
            aligned.
        top, left: of the rectangle, pixels.
        height, width: of the rectangle, pixels.
    """

    logits: Tensor
    top: int
    left: int
    height: int
    width: int

    @property
    def fine(self) -> bool:
        """Whether the logits are of pixels."""
        return tuple(self.logits.shape[1:]) == (self.height, self.width)

    def all_rows(self) -> Tensor:
        """float32 (classes, height, width)."""
        return self.logits if self.fine else _scaled(self.logits, self.height, self.width)

    def add_rows(self, first: int, end: int, total: Tensor) -> None:
        """Add those from `first` up to `end` to total, (classes, end - first, width), in place."""
        if self.fine:
            total += self.logits[:, first:end]
            return
        for row, (low, high, share) in zip(total.unbind(1), self._places[first:end], strict=True):
            row.add_(self._wide[high], alpha=share).add_(self._wide[low], alpha=1 - share)

    def rows(self, first: int, end: int) -> Tensor:
        """Those from `first` up to `end`: float32 (classes, end - first, width)."""
        if self.fine:
            return self.logits[:, first:end]
        rows = self.logits.new_empty(len(self.logits), end - first, self.width)
        for row, (low, high, share) in zip(rows.unbind(1), self._places[first:end], strict=True):
            # In the order that torch adds them in.
            torch.mul(self._wide[high], share, out=row).add_(self._wide[low], alpha=1 - share)
        return rows

    @cached_property
    def _wide(self) -> tuple[Tensor, ...]:
        """The rows of logits, scaled along themselves: h of float32 (classes, width)."""
        return _scaled(self.logits, self.logits.shape[1], self.width).contiguous().unbind(1)

    @cached_property
    def _places(self) -> list[tuple[int, int, float]]:
        """Of each row of the rectangle the rows of logits around it, and the share of the second one."""
        last = self.logits.shape[1] - 1
        scale = torch.tensor(self.logits.shape[1] / self.height)  # float32, as torch has it
        places = (scale * (torch.arange(self.height) + 0.5) - 0.5).clamp_(0, last)
        low = places.long()
        high = (low + 1).clamp_(max=last)
        return list(zip(low.tolist(), high.tolist(), (places - low).tolist(), strict=True))


def mean_logits(parts: Iterable[PlacedLogits], height: int, width: int) -> Tensor:
    """Of parts that cover a picture, their mean where they overlap: float32 (classes, height, width).

    Parts are taken one after the other, none is kept.
    """
    total = times = None
    for part in parts:
        if (part.height, part.width) == (height, width):
            return part.all_rows()
        if total is None or times is None:
            total = part.logits.new_zeros(len(part.logits), height, width)
            times = part.logits.new_zeros(height, width)
        rows = slice(part.top, part.top + part.height)
        columns = slice(part.left, part.left + part.width)
        total[:, rows, columns] += part.all_rows()
        times[rows, columns] += 1
    assert total is not None
    assert times is not None
    return total.div_(times)


@torch.no_grad()
def class_map(parts: Iterable[PlacedLogits], height: int, width: int) -> Tensor:
    """The class with the highest mean logit at each pixel: uint8 (height, width).

    The first one of several; where the highest is not finite, the number of classes.

    Args:
        parts: cover the picture, of at most 254 classes.
    """
    found: Tensor | None = None
    for top, strip in _strips(parts, height, width):
        if found is None:
            found = torch.empty(height, width, dtype=torch.uint8, device=strip.device)
        found[top : top + strip.shape[1]] = highest(strip)
    assert found is not None
    return found


def highest(logits: Tensor) -> Tensor:
    """As `class_map`, of logits (classes, *positions): uint8 (*positions).

    Several times as fast on a CPU as argmax, which takes the classes of a pixel one by one.
    """
    best = logits.amax(0)
    count = len(logits)
    codes = torch.arange(
        count, 0, -1, dtype=torch.uint8, device=logits.device
    )  # the first the highest
    coded = (logits == best).view(torch.uint8).mul_(codes.view(-1, *[1] * best.dim()))
    return coded.amax(0).neg_().add_(count).masked_fill_(~best.isfinite(), count)


def _strips(parts: Iterable[PlacedLogits], height: int, width: int) -> Iterator[tuple[int, Tensor]]:
    """The first row of each strip, and in it logits whose order is that of the parts' mean."""
    parts = iter(parts)
    first = next(parts)
    if first.fine:  # all windows' logits would be several times those of the picture
        whole = mean_logits(chain([first], parts), height, width)
        kept = [PlacedLogits(whole, 0, 0, height, width)]
    else:
        kept = [first, *parts]
    like = first.logits
    step = max(1, _STRIP // (len(like) * width)) if like.device.type == "cpu" else height
    for top in range(0, height, step):
        end = min(top + step, height)
        if (top, end) == (0, height) and not kept[0].fine:  # one call, not one a row
            yield top, mean_logits(kept, height, width)
        elif len(kept) == 1:
            yield top, kept[0].rows(top, end)
        else:
            yield top, _sum(kept, top, end, width)


def _sum(parts: Sequence[PlacedLogits], top: int, end: int, width: int) -> Tensor:
    """Of rows `top` to `end` of the picture: float32 (classes, end - top, width)."""
    like = parts[0].logits
    total = like.new_zeros(len(like), end - top, width)
    for part in parts:
        first, last = max(top, part.top), min(end, part.top + part.height)
        if first < last:
            columns = slice(part.left, part.left + part.width)
            seen = total[:, first - top : last - top, columns]
            part.add_rows(first - part.top, last - part.top, seen)
    return total


def _scaled(logits: Tensor, height: int, width: int) -> Tensor:
    """(classes, h, w) -> (classes, height, width)."""
    return F.interpolate(logits[None], (height, width), mode="bilinear", align_corners=False)[0]
