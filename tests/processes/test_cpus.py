"""Counting CPUs, in folders that look like /proc and /sys of machines and containers."""

import os
import subprocess
import sys

import pytest

from glore_video.processes import cpus
from glore_video.processes.cpus import usable_cpus


@pytest.fixture
def machine(machine_files, monkeypatch):
    """Files of a machine of 16 CPUs: {path: text} -> its root."""
    monkeypatch.setattr(cpus, "_allowed_cpus", lambda: 16)
    return machine_files


@pytest.mark.parametrize(
    ("files", "count"),
    [
        pytest.param({}, 16, id="no cgroups"),
        pytest.param(
            {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"},
            16,
            id="version 2, no limit",
        ),
        pytest.param(
            {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "250000 100000\n"},
            2,
            id="version 2, docker --cpus 2.5",
        ),
        pytest.param(
            {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"},
            1,
            id="version 2, half a CPU",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "0::/jobs/job_1/step_0\n",
                "sys/fs/cgroup/jobs/cpu.max": "max 100000\n",
                "sys/fs/cgroup/jobs/job_1/cpu.max": "400000 100000\n",
                "sys/fs/cgroup/jobs/job_1/step_0/cpu.max": "max 100000\n",
            },
            4,
            id="version 2, the limit of a group above",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "5:cpuset:/\n4:cpu,cpuacct:/docker/ab:c\n1:name=systemd:/\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "300000\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            },
            3,
            id="version 1 in a container, with the host's path",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "4:cpu:/job\n0::/job\n",
                "sys/fs/cgroup/cpu/job/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/job/cpu.cfs_period_us": "100000\n",
                "sys/fs/cgroup/unified/job/cpu.max": "700000 100000\n",
            },
            7,
            id="version 1 without limit beside version 2",
        ),
        pytest.param(
            {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "6400000 100000\n"},
            16,
            id="a limit above the number of CPUs",
        ),
    ],
)
def test_quota_of_cgroups(machine, files, count):
    assert usable_cpus(machine(files)) == count


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_affinity():
    one = min(os.sched_getaffinity(0))
    code = (
        f"import os; os.sched_setaffinity(0, [{one}])\n"
        "from glore_video.processes.cpus import usable_cpus; print(usable_cpus())"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "1\n"
    )


def test_nobody_counts_the_cpus_of_the_whole_machine():
    """os.cpu_count() knows nothing of the CPUs that are given to a job or a container."""
    from test_floors import PACKAGE

    files = [*PACKAGE.rglob("*.py"), *(PACKAGE.parent / "tools").glob("*.py")]
    counting = {path.name for path in files if "cpu_count" in path.read_text(encoding="utf-8")}
    assert counting == {"cpus.py"}
