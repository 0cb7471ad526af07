"""Presentation times: when each frame of a video is shown, and which one is at a given time.

All arithmetic is rational. No decoding here: indexing.py finds the time stamps.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from math import ceil, floor
from typing import Any


@dataclass(frozen=True)
class FrameTimes(Sequence[Fraction]):
    """`times[k]` is when frame k is shown, in seconds from the first one; a sequence of fractions.

    Attributes:
        num_frames: of the video, at least 1.
        fps: average frames a second.
        stamps: time stamp of each frame, ascending; empty if the file has none to be trusted. The
            frames then follow each other evenly.
        time_base: seconds that a step of 1 in `stamps` lasts.
    """

    num_frames: int
    fps: Fraction
    stamps: tuple[int, ...] = ()
    time_base: Fraction = Fraction(1)

    def __len__(self) -> int:
        return self.num_frames

    def __getitem__(self, frame: Any) -> Any:
        if isinstance(frame, slice):
            return [self[k] for k in range(*frame.indices(self.num_frames))]
        if not -self.num_frames <= frame < self.num_frames:
            raise IndexError(f"frame {frame} of a video of {self.num_frames} frames")
        return self.start_of(frame % self.num_frames)

    def start_of(self, frame: int) -> Fraction:
        """Seconds at which a frame begins; for num_frames, at which the last one ends.

        How long the last frame is shown no container tells reliably: it counts as an average one.
        """
        if self._as_stated:
            return frame / self.fps
        if frame == self.num_frames:
            return self.start_of(frame - 1) + 1 / self.fps
        return (self.stamps[frame] - self.stamps[0]) * self.time_base

    @property
    def duration(self) -> Fraction:
        """Seconds from the start of the first frame to the end of the last."""
        return self.start_of(self.num_frames)

    def shown_at(self, seconds: Fraction | int) -> int:
        """The frame that is shown at a time; before the first one the first, after the last the last."""
        if self._as_stated:
            frame = floor(seconds * self.fps)
        else:
            # Stamps that are rounded, to milliseconds say, may stand half a step late.
            late = min(self.time_base, Fraction(1, 1000)) / 2
            frame = (
                bisect_right(self.stamps, self.stamps[0] + (seconds + late) / self.time_base) - 1
            )
        return min(max(frame, 0), self.num_frames - 1)

    @cached_property
    def steady(self) -> bool:
        """Constant frame rate: every frame k is shown within half a frame of k / fps."""
        return not self.stamps or self._deviation <= 1 / (2 * self.fps)

    @cached_property
    def _as_stated(self) -> bool:
        """Whether the stamps are k / fps rounded to whole steps, and so tell less than the rate."""
        return not self.stamps or (self.steady and self._deviation <= self.time_base)

    @cached_property
    def _deviation(self) -> Fraction:
        """Seconds between a stamp and k / fps, at most."""
        import numpy as np  # clips are counted without it

        # In whole numbers: a fraction for each frame would cost a hundred times as much.
        step = self.time_base.numerator * self.fps.numerator
        frame = self.time_base.denominator * self.fps.denominator
        first, last = self.stamps[0], self.stamps[-1]
        fits = max((last - first + 1) * step, self.num_frames * frame) < 2**62
        stamps = np.array(self.stamps, dtype=np.int64 if fits else object)
        worst = np.abs(
            (stamps - first) * step - np.arange(len(stamps), dtype=stamps.dtype) * frame
        ).max()
        return Fraction(int(worst), self.time_base.denominator * self.fps.numerator)

    def first(self, num_frames: int) -> "FrameTimes":
        """The times of the first frames alone."""
        if num_frames == self.num_frames:
            return self
        return replace(self, num_frames=num_frames, stamps=self.stamps[:num_frames])

    def played_at(self, rate: Fraction | None) -> "Playback":
        """The video at a constant frame rate, for those who count frames and mean time.

        A constant rate stays what it is. A video of a variable one is shown `rate` times a second;
        None: its frames are counted one by one, however long each is shown.
        """
        return Playback(self, None if self.steady else rate)


@dataclass(frozen=True)
class Playback:
    """A video as places that are counted: its frames, or what is shown every 1 / rate seconds."""

    times: FrameTimes
    rate: Fraction | None

    @property
    def fps(self) -> Fraction:
        """Places a second."""
        return self.times.fps if self.rate is None else self.rate

    def __len__(self) -> int:
        return self.times.num_frames if self.rate is None else ceil(self.times.duration * self.rate)

    def frames(self, places: Iterable[int]) -> list[int]:
        """The frames of the video that are shown at these places."""
        if self.rate is None:
            return list(places)
        return [self.times.shown_at(place / self.rate) for place in places]

    def seconds(self, place: int) -> Fraction:
        """When a place begins; for len(), when the last one ends."""
        if self.rate is None:
            return self.times.start_of(place)
        return min(place / self.rate, self.times.duration)

    def place(self, seconds: Fraction) -> int:
        """The place that is shown at a time."""
        if self.rate is None:
            return self.times.shown_at(seconds)
        return min(max(floor(seconds * self.rate), 0), len(self) - 1)


def shown_rate(
    stamps: Sequence[int], time_base: Fraction, stated: Fraction | None
) -> Fraction | None:
    """Average frames a second of the frames that are shown.

    The rate that the container states if the stamps keep to it, else that of the stamps: a round or
    NTSC rate if they are one that was rounded to whole steps. Of fewer than two frames, and without
    stamps, what is stated.
    """
    count = len(stamps)
    if count < 2 or stamps[-1] <= stamps[0]:
        return stated
    mean = Fraction(count - 1, stamps[-1] - stamps[0]) / time_base
    if stated and FrameTimes(count, stated, tuple(stamps), time_base).steady:
        return stated
    for rate in (Fraction(round(mean)), Fraction(round(mean * Fraction(1001, 1000)) * 1000, 1001)):
        if rate and FrameTimes(count, rate, tuple(stamps), time_base)._as_stated:
            return rate
    return mean
