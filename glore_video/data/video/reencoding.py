"""Encode videos anew, small and with short GOPs, so that reading a clip decodes less."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from tqdm import tqdm

from glore_video.errors import Failure, UsageError, writing
from glore_video.processes.killable_pool import map_killable
from glore_video.video.errors import faults_of_a_file
from glore_video.video.frame_conversion import FrameConverter
from glore_video.video.orientation import Orientation
from glore_video.video.pyav_file import fraction, open_input

_SETTINGS_FILE = "encoding.json"


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """H.264 in MP4, 4:2:0, without sound.

    Attributes:
        short_side: of the pictures, pixels, even; smaller ones keep their size.
        gop: at most so many frames from one keyframe to the next.
        crf: libx264's quality, 0 (lossless) to 51.
        preset: libx264's speed.
    """

    short_side: int
    gop: int = 30
    crf: int = 20
    preset: str = "fast"

    def __post_init__(self) -> None:
        if self.short_side < 16 or self.short_side % 2:
            raise UsageError(f"short side {self.short_side}: must be even and at least 16 pixels")
        if self.gop < 1:
            raise UsageError(f"gop {self.gop}: must be at least 1 frame")
        if not 0 <= self.crf <= 51:
            raise UsageError(f"crf {self.crf}: must be in 0 .. 51")


def target_size(width: int, height: int, short_side: int) -> tuple[int, int]:
    """Width and height, even, of the same shape with this short side; never larger.

    An odd pixel is left out.
    """
    scale = min(1.0, short_side / min(width, height))
    return tuple(max(2, round(side * scale / 2) * 2) for side in (width, height))  # type: ignore[return-value]


def reencode(source: str, target: Path, encoding: Encoding) -> None:
    """Encode every frame of a video at its own time; the file appears whole or not at all.

    A rotation is carried out, not copied. Raises ValueError or FFmpegError, both with a reason, if
    the source can't be decoded to its end.
    """
    partial_file = target.with_name(f".{target.name}.partial")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with (
            open_input(source) as old,
            av.open(f"file:{partial_file}", "w", format="mp4") as new,
        ):
            stream = old.streams.best("video")
            if not isinstance(stream, VideoStream) or stream.codec_context is None:
                raise UsageError("has no video stream that can be decoded")
            stream.codec_context.thread_count = 1
            converter = FrameConverter()
            out: VideoStream | None = None
            time: int | None = None
            for packet in old.demux(stream):
                if packet.is_corrupt:
                    raise UsageError("a packet is corrupt or cut off")
                for frame in packet.decode():
                    if frame.is_corrupt:
                        raise UsageError("a frame is corrupt")
                    if out is None:
                        out, width, height = _add_stream(new, stream, frame, encoding)
                    ready = _prepared(frame, width, height, converter)
                    ready.pts = time = _time(frame, stream, time)
                    new.mux(out.encode(ready))
            if out is None:
                raise UsageError("no frame can be decoded")
            new.mux(out.encode())
        os.replace(partial_file, target)
    finally:
        partial_file.unlink(missing_ok=True)


def _add_stream(
    new: av.container.OutputContainer, stream: VideoStream, first: VideoFrame, encoding: Encoding
) -> tuple[VideoStream, int, int]:
    turned = Orientation.of(first).transpose
    size = (first.height, first.width) if turned else (first.width, first.height)
    width, height = target_size(*size, encoding.short_side)
    options = {"crf": str(encoding.crf), "preset": encoding.preset}
    out = new.add_stream(
        "libx264", rate=stream.average_rate or stream.guessed_rate, options=options
    )
    out.width, out.height, out.pix_fmt = width, height, "yuv420p"
    out.gop_size = encoding.gop
    out.codec_context.thread_count = 1
    if stream.time_base:
        out.codec_context.time_base = stream.time_base
    return out, width, height


def _prepared(frame: VideoFrame, width: int, height: int, converter: FrameConverter) -> VideoFrame:
    """Upright and of the right size; the encoder chooses the kind of frame."""
    orientation = Orientation.of(frame)
    ready = frame
    if orientation != Orientation():
        picture = np.ascontiguousarray(orientation.apply(converter.to_rgb(frame)))
        ready = VideoFrame.from_ndarray(picture, format="rgb24")
    ready = converter.convert(ready, "yuv420p", width=width, height=height, interpolation="BICUBIC")
    ready.time_base = frame.time_base
    ready.pict_type = 0
    return ready


def _time(frame: VideoFrame, stream: VideoStream, last: int | None) -> int:
    """The frame's time, or where it has none or an earlier one, a frame's duration after the last."""
    if frame.pts is not None and (last is None or frame.pts > last):
        return int(frame.pts)
    rate = stream.average_rate or stream.guessed_rate
    if not rate or not stream.time_base:
        raise UsageError("has neither times nor a frame rate")
    return (
        0
        if last is None
        else last + max(1, round(1 / (fraction(rate) * fraction(stream.time_base))))
    )


def reencode_all(
    files: Mapping[str, Path], encoding: Encoding, folder: Path, *, processes: int, seconds: float
) -> list[Failure]:
    """Encode each source to its target, in parallel; targets that are there already are kept.

    Args:
        files: source -> target, which lies below `folder`.
        folder: keeps a note of the encoding, so that two encodings are never mixed.
        seconds: for one video; one that takes longer is given up.

    Returns:
        The videos that could not be encoded, each (path, reason).

    Raises:
        ValueError: the folder was made with another encoding, or processes or seconds are not
            above 0.
        OSError: the disk is full, say.
        Others: no fault of one video; see faults_of_a_file.
    """
    if processes < 1:
        raise UsageError(f"processes must be at least 1, got {processes}")
    if not seconds > 0:
        raise UsageError(f"the time limit must be above 0 seconds, got {seconds}")
    _check_settings(folder, encoding)
    tasks = [(source, target) for source, target in files.items() if not target.is_file()]
    failures: list[Failure] = []
    outcomes = map_killable(
        partial(_reencode_task, encoding),
        tasks,
        processes=processes,
        seconds=seconds,
        video=lambda task: task[0],
    )
    with closing(outcomes), tqdm(total=len(tasks), desc="encode", disable=None) as bar:
        for outcome in outcomes:
            source, target = outcome.task
            reason = outcome.value
            if outcome.lost:
                target.with_name(f".{target.name}.partial").unlink(missing_ok=True)
                reason = (
                    f"encoding takes more than {seconds:g} s"
                    if outcome.lost == "timeout"
                    else f"its decoder crashed ({outcome.lost})"
                )
            if reason:
                failures.append((source, reason))
            bar.update()
    return failures


def _reencode_task(encoding: Encoding, task: tuple[str, Path]) -> str:
    """The reason why it failed, or nothing. Raises what is no fault of this video."""
    try:
        reencode(*task, encoding)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
            if not os.access(task[0], os.R_OK):
                return error.strerror or str(error)
            raise  # it will be the same for every other video
        return error.strerror or str(error)
    except faults_of_a_file() as error:
        return str(error) or type(error).__name__
    return ""


def _check_settings(folder: Path, encoding: Encoding) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / _SETTINGS_FILE
    wanted = asdict(encoding)
    if note.is_file():
        try:
            found = json.loads(note.read_text(encoding="utf-8"))
        except ValueError:
            found = None
        if found != wanted:
            raise UsageError(
                f"{folder}: made with another encoding ({found}) than is wanted now ({wanted}); "
                "choose another folder"
            )
    else:
        with writing(note):
            note.write_text(json.dumps(wanted) + "\n", encoding="utf-8")
