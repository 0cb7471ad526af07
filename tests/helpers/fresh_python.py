"""Python that has imported nothing but what is named, again and again, without starting each time.

Run as a script it imports the modules named on its command line, then forks a process for every line
of JSON on stdin: each does what `python -c CODE WORDS` does, and ends as Python ends.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path


class FreshPython:
    """Runs code in forks of one process; use it in a `with` statement.

    Args:
        imported: modules that the code finds imported.
        environment: variables besides this process' own.
    """

    def __init__(self, *imported: str, **environment: str) -> None:
        self._imported = imported
        self._environment = os.environ | {"OMP_NUM_THREADS": "1"} | environment

    def __enter__(self) -> FreshPython:
        self._process = subprocess.Popen(
            [sys.executable, __file__, *self._imported],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self._environment,
            text=True,
        )
        return self

    def __exit__(self, *error: object) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._process.stdout.close()

    def run(
        self, code: str, *words: str | Path, cwd: Path | str = "."
    ) -> subprocess.CompletedProcess[str]:
        """As subprocess.run([python, "-c", code, *words], capture_output=True, encoding="utf-8")."""
        assert self._process.stdin
        assert self._process.stdout
        with tempfile.TemporaryDirectory() as folder:
            said = [os.path.join(folder, name) for name in ("out", "err")]
            told = {"code": code, "words": [str(word) for word in words]}
            line = json.dumps(told | {"cwd": os.path.abspath(cwd), "said": said})
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
            status = json.loads(self._process.stdout.readline())
            out, err = (Path(name).read_text(encoding="utf-8") for name in said)
        return subprocess.CompletedProcess([code, *words], status, out, err)


@cache
def fresh_python(*imported: str) -> FreshPython:
    """The one of this process with these modules."""
    one = FreshPython(*imported).__enter__()
    atexit.register(one.__exit__)
    return one


def serve() -> str:
    """Answers with exit statuses; in a fork it returns the code to run."""
    for name in sys.argv[1:]:
        __import__(name)
    gc.freeze()  # a fork that ends would copy the memory of every object by looking at it
    for line in sys.stdin:
        question = json.loads(line)
        pid = os.fork()
        if not pid:
            for number, name in enumerate([os.devnull, *question["said"]]):
                file = os.open(name, os.O_RDWR | os.O_CREAT)
                os.dup2(file, number)
                os.close(file)
            os.chdir(question["cwd"])
            sys.argv[:] = ["-c", *question["words"]]
            sys.path[0] = ""
            return str(question["code"])
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    return ""


if __name__ == "__main__":
    exec(serve(), {"__name__": "__main__"})
