"""Real processes of tools/run_net.py for tests that kill them, without importing torch for each.

Run as a script it imports all that a run needs, then forks a process group for every line of JSON on
stdin; each process then does what `python tools/run_net.py` does.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import runpy
import signal
import socket
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """Starts runs; use it in a `with` statement."""

    def __enter__(self):
        self.process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        return self

    def __exit__(self, *error):
        self.process.stdin.close()
        self.process.wait(timeout=60)
        self.process.stdout.close()

    def ask(self, **question):
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def start(self, arguments, *, log, world_size=1, hook="", **environment):
        """A run of world_size processes. `hook` is Python that each executes first."""
        if world_size > 1:
            environment |= {"WORLD_SIZE": str(world_size), "MASTER_ADDR": "127.0.0.1"}
            environment["MASTER_PORT"] = str(free_port())
        pids = self.ask(
            arguments=arguments,
            log=str(log),
            world_size=world_size,
            hook=hook,
            environment=environment,
        )
        return Run(self, pids, Path(log))


@cache
def shared_server():
    """The one of this process. Its runs come from a process that has computed nothing yet: torch's
    autograd refuses to work in the fork of one that has started threads of its own."""
    server = Server().__enter__()
    atexit.register(server.__exit__)
    return server


class Run:
    def __init__(self, server, pids, log):
        self.server = server
        self.pids = pids
        self.log = log

    def kill(self):
        os.killpg(self.pids[0], signal.SIGKILL)

    def wait(self):
        """Exit statuses, negative for signals; of each process in order of rank."""
        return self.server.ask(wait=self.pids)

    def finish(self):
        statuses = self.wait()
        assert statuses == [0] * len(self.pids), self.log.read_text()

    def until(self, condition, seconds=60):
        """Wait for the condition; the processes must not all have ended before."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.001)


def import_all_of(package):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)


def serve():
    import torch.utils.tensorboard  # noqa: F401

    import glore_video.cli.train
    import glore_video.runs
    import glore_video.tasks

    import_all_of(glore_video.runs)
    import_all_of(glore_video.tasks)
    gc.freeze()  # collecting in a fork would copy the memory of every object by looking at it
    for line in sys.stdin:
        question = json.loads(line)
        if "wait" in question:
            answer = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in question["wait"]]
        else:
            answer = []
            for rank in range(question["world_size"]):
                pid = os.fork()
                if not pid:
                    be_a_run(question, rank, answer)
                os.setpgid(pid, answer[0] if answer else pid)
                answer.append(pid)
        print(json.dumps(answer), flush=True)


def be_a_run(question, rank, before):
    """Never returns."""
    from glore_video.processes import records

    status = 1
    try:
        os.setpgid(0, before[0] if before else 0)
        log = os.open(question["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for stream in (1, 2):
            os.dup2(log, stream)
        os.environ.update(question["environment"])
        if question["world_size"] > 1:
            os.environ["RANK"] = str(rank)
        exec(question["hook"], {})
        sys.argv = ["run_net.py", *question["arguments"]]
        runpy.run_path(str(ROOT / "tools" / "run_net.py"), run_name="__main__")
    except SystemExit as end:
        status = end.code or 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        records.close_records()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    serve()
