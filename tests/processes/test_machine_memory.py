"""Memory that is left, in folders that look like /proc and /sys of machines and containers."""

import mmap
import sys

import pytest

from glore_video.processes.memory import (
    available_memory,
    forget_most_memory,
    memory_now,
    most_memory,
)

MIB = 2**20
MEMINFO = "MemTotal:       16000000 kB\nMemFree:          100000 kB\nMemAvailable:    8192000 kB\n"


@pytest.mark.parametrize(
    ("files", "left"),
    [
        ({}, None),
        ({"proc/meminfo": MEMINFO}, 8000 * MIB),
        (
            {
                "proc/meminfo": MEMINFO,
                "proc/self/cgroup": "0::/job/step\n",
                "sys/fs/cgroup/job/memory.max": f"{4096 * MIB}\n",
                "sys/fs/cgroup/job/memory.current": f"{1096 * MIB}\n",
                "sys/fs/cgroup/job/memory.stat": f"file 5\ninactive_file {96 * MIB}\nslab 7\n",
                "sys/fs/cgroup/job/step/memory.max": "max\n",
                "sys/fs/cgroup/job/step/memory.current": "5\n",
            },
            3096 * MIB,
        ),
        (
            {
                "proc/meminfo": MEMINFO,
                "proc/self/cgroup": "4:memory:/docker/ab\n3:cpu:/\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{512 * MIB}\n",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": f"{500 * MIB}\n",
                "sys/fs/cgroup/memory/memory.stat": f"inactive_file 1\ntotal_inactive_file {MIB}\n",
            },
            13 * MIB,
        ),
        (
            {
                "proc/meminfo": MEMINFO,
                "proc/self/cgroup": "4:memory:/\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": "5\n",
            },
            8000 * MIB,
        ),
        (
            {
                "proc/self/cgroup": "0::/\n",
                "sys/fs/cgroup/memory.max": "1000\n",
                "sys/fs/cgroup/memory.current": "1200\n",
            },
            0,
        ),
    ],
    ids=[
        "not Linux",
        "a machine",
        "version 2",
        "version 1",
        "version 1, no limit",
        "beyond the limit",
    ],
)
def test_what_is_left(machine_files, files, left):
    assert available_memory(machine_files(files)) == left


def test_what_a_process_has(machine_files):
    root = machine_files(
        {"proc/self/status": "VmHWM:\t   3000 kB\nVmRSS:\t   2000 kB\nThreads:\t1\n"}
    )
    assert (memory_now(root), most_memory(root)) == (2000 * 1024, 3000 * 1024)
    with pytest.raises(FileNotFoundError):
        memory_now(root / "proc")


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not tell")
def test_of_this_process():
    forget_most_memory()
    before = memory_now()
    # From the system: what Python gives out may have been its own before.
    with mmap.mmap(-1, 64 * MIB) as block:
        block.write(b"x" * len(block))
        assert most_memory() - before > 48 * MIB
    assert available_memory() > 0
