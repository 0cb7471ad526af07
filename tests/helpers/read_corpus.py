"""Reads the videos of a listing with one backend: a process of its own, for decoders may hang.

python read_corpus.py BACKEND LISTING, where LISTING is JSON: name -> [path, original path, degrees
that players turn it, policy for damaged files]. Prints JSON: name -> "equal", or why not.
"""

import json
import random
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import av
import numpy as np
from encoded_videos import rgb

from glore_video.video import VideoError, open_video, read_index


def opened(path: str) -> av.container.InputContainer:
    """Whatever text is in it: from PyAV 19 on that needs no telling."""
    any_text = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
    return av.open(path, **any_text)


@cache
def decode_past_damage(path: str) -> dict[int, np.ndarray]:
    """What the decoder yields, whatever it says, by the place of its time among all packets'."""
    times: list[int] = []
    by_time: dict[int, np.ndarray] = {}
    try:
        with opened(path) as container:
            stream = container.streams.best("video")
            stream.codec_context.thread_count = 1
            for packet in container.demux(stream):
                if packet.size and not packet.is_discard and packet.pts is not None:
                    times.append(packet.pts)
                try:
                    for frame in packet.decode():
                        by_time[frame.pts] = rgb(frame)
                except av.error.FFmpegError:
                    continue
    except av.error.FFmpegError:
        pass
    return {i: by_time[time] for i, time in enumerate(sorted(times)) if time in by_time}


@cache
def sequential(path: str) -> dict[int, np.ndarray]:
    """Frames from the start on, past packets that fail, as far as the file can be read."""
    frames: dict[int, np.ndarray] = {}
    with suppress(av.error.FFmpegError), opened(path) as container:
        stream = container.streams.best("video")
        stream.codec_context.thread_count = 1
        for packet in container.demux(stream):
            with suppress(av.error.FFmpegError):
                for frame in packet.decode():
                    frames[len(frames)] = rgb(frame)
    return frames


def requests(count: int) -> Iterator[list[int]]:
    yield list(range(count))
    yield [count - 1]
    rng = random.Random(count)
    for _ in range(6):
        yield rng.choices(range(count), k=rng.randint(1, 5))


def outcome(backend: str, path: str, original: str, turn: int, policy: str) -> str:
    """ "equal" if every frame is what sequential decoding shows.

    Of a damaged file also what the original shows, and what decoding past damage shows at that time,
    if the decoder is content with it: nobody can tell. decord and torchcodec paint over damage without
    telling; they get the index that tells.
    """
    try:
        open_video(path, backend=backend, damaged=policy).close()
        kept = [read_index(path, decode=original != path)]
    except VideoError as error:
        return f"VideoError: {error.reason}"
    whole = original == path
    expected = [sequential(path)]
    if not whole:
        expected += [sequential(original), decode_past_damage(path)]
    if whole or backend == "pyav":
        kept.append(None)
    errors: list[str] = []
    counts: set[int] = set()
    for index in kept:
        try:
            with open_video(path, backend=backend, damaged=policy, index=index) as video:
                counts.add(video.num_frames)
                for drawn in requests(video.num_frames):
                    wanted = [i for i in drawn if i < video.num_frames]
                    try:
                        frames = video.frames(wanted).numpy()
                    except VideoError as error:
                        errors.append(error.reason)
                        continue
                    for i, frame in zip(wanted, frames, strict=True):
                        stored = np.rot90(frame, -turn // 90)
                        if not any(np.array_equal(stored, known.get(i)) for known in expected):
                            return f"WRONG: frame {i} of {wanted}"
        except VideoError as error:
            errors.append(error.reason)
    if whole and counts not in ({len(expected[0])}, set()):
        return f"WRONG: {counts} frames of {len(expected[0])}"
    if errors:
        return f"VideoError: {errors[0]}"
    return "equal"


if __name__ == "__main__":
    listing = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    av.logging.set_level(av.logging.PANIC)
    print(json.dumps({name: outcome(sys.argv[1], *what) for name, what in listing.items()}))
