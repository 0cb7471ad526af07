"""Nothing grows over thousands of openings; each backend in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from video_corpus import write_unreadable

OPENINGS, WARM_UP = 2000, 400

# Prints the growth of resident memory in KiB and of open files.
SCRIPT = """
import ctypes, gc, os, sys
from glore_video.video import VideoError, open_video

# What is free but kept by the C library, more or less as its threads happened to run, is no leak.
give_back = getattr(ctypes.CDLL(None), "malloc_trim", lambda pad: None)

def opened_and_resident():
    gc.collect()
    give_back(0)
    pages = int(open("/proc/self/statm").read().split()[1])
    return len(os.listdir("/proc/self/fd")), pages * os.sysconf("SC_PAGE_SIZE") // 1024

backend, warm_up, openings, *paths = sys.argv[1:]
for i in range(int(openings)):
    if i == int(warm_up):
        files, memory = opened_and_resident()
    try:
        with open_video(paths[i % len(paths)], backend=backend) as video:
            video.frames([video.num_frames - 1, 0])
    except VideoError:
        pass
after = opened_and_resident()
print(after[1] - memory, after[0] - files)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="needs /proc")
def test_openings_leave_nothing(corpus, damaged, tmp_path, backend):
    names = ("h264", "MPEG-TS", "mpeg4 avi, B frames", "open GOP", "vp9", "turned", "mkv")
    paths = [corpus[name].path for name in names]
    paths += [path for name, (path, _) in damaged.items() if "flipped 1" in name][:3]
    paths += [write_unreadable(tmp_path, what) for what in ("text", "sound", "no moov")]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, backend, str(WARM_UP), str(OPENINGS), *map(str, paths)],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        timeout=300,
        check=True,
    )
    kibibytes, files = map(int, done.stdout.split())
    assert files == 0
    assert kibibytes < 4096, f"{kibibytes} KiB over {OPENINGS - WARM_UP} openings"
