"""Forked processes that can be killed in the middle of a call: the only way out of a hung decoder."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import mmap
import multiprocessing
import os
import pickle
import signal
import socket
import struct
import sys
import time
import weakref
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, ClassVar, NoReturn

import torch

from glore_video.processes import waiting_times
from glore_video.processes.messages import pack, pack_error, unpack, unpack_error
from glore_video.processes.stop_signals import ignore_stop_signals, signals_held_back

_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None  # loaded before any fork
_PR_SET_PDEATHSIG = 1  # of Linux' prctl
_ANSWER, _ERROR = b"answer", b"error"


class ChildDiedError(RuntimeError):
    """The process ended without an answer; the message says how."""


class Child:
    """A process forked from this one that answers calls of one function.

    The function and all that it refers to are there by the fork; only arguments and answers are
    sent. Tensors of an answer go by way of shared memory as long as they fit into it. A process that
    stands still in the middle of a message, taking arguments or answering, is killed after 10 s.

    Args:
        function: what the process calls, with the arguments of each `send`.
        buffer_bytes: shared memory for the tensors of one answer.

    Attributes:
        pid: number of the process.
        connection: for multiprocessing.connection.wait; ready when an answer is there, or none
            will come.

    Raises:
        OSError: processes can't be forked here.
    """

    _alive: ClassVar[weakref.WeakSet[Child]] = weakref.WeakSet()

    def __init__(self, function: Callable[..., Any], *, buffer_bytes: int = 0) -> None:
        if not hasattr(os, "fork"):
            raise OSError(f"processes can't be forked on {sys.platform}")
        self._buffer = mmap.mmap(-1, buffer_bytes) if buffer_bytes else None
        here, there = multiprocessing.Pipe()
        parent = os.getpid()
        with signals_held_back():
            self.pid = os.fork()
            if self.pid == 0:
                # A copy of a sibling's end would keep it from seeing this process' parent go.
                for sibling in Child._alive:
                    sibling.connection.close()
                here.close()
                _serve(function, there, self._buffer, parent)
        there.close()
        self.connection: Connection = here
        _limit_silence(here)
        self._running = True
        Child._alive.add(self)

    def send(self, *arguments: Any) -> None:
        """Begin a call. Raises ChildDiedError if the process is gone, or does not take the arguments."""
        try:
            self.connection.send(arguments)
        except BlockingIOError:
            self.kill()
            raise ChildDiedError(f"it took no arguments for {waiting_times.SILENCE:g} s") from None
        except OSError:
            raise ChildDiedError(self.kill(patience=waiting_times.EXIT)) from None

    def answers_within(self, seconds: float) -> bool:
        """Wait for the answer, or for the process to die, at most so long."""
        return self.connection.poll(seconds)

    def receive(self) -> Any:
        """What the function returned; its error is raised. Raises ChildDiedError if there is no answer."""
        try:
            kind = self.connection.recv_bytes()
            data = self.connection.recv_bytes()
        except BlockingIOError:
            self.kill()
            raise ChildDiedError(
                f"it stood still for {waiting_times.SILENCE:g} s in the middle of its answer"
            ) from None
        except (EOFError, OSError):
            raise ChildDiedError(self.kill(patience=waiting_times.EXIT)) from None
        if kind == _ERROR:
            raise unpack_error(data, f"process {self.pid}")
        return unpack(data, self._buffer)

    def kill(self, *, patience: float = 0.0) -> str:
        """End the process, whatever it does. Returns how it ended.

        One that is about to end by itself, and then says why, has `patience` seconds for it.
        """
        self.connection.close()
        Child._alive.discard(self)
        if not self._running:
            return "it had been stopped"
        status = self._reap(patience)
        if status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            status = self._reap(waiting_times.KILL)
        self._running = False
        if status is None:
            return "it could not be stopped"  # it waits in the kernel, for a dead disk say
        code = os.waitstatus_to_exitcode(status)
        return f"exit status {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"

    def _reap(self, seconds: float) -> int | None:
        end = time.monotonic() + seconds
        while True:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                return 0
            if pid:
                return status
            if time.monotonic() > end:
                return None
            time.sleep(0.002)

    def __del__(self) -> None:
        if getattr(self, "_running", False):
            self.connection.close()  # the process ends when it sees this


def _serve(
    function: Callable[..., Any],
    connection: Connection,
    buffer: mmap.mmap | None,
    parent: int,
) -> NoReturn:
    """Answer calls until the parent closes its end."""
    __tracebackhide__ = True
    try:
        ignore_stop_signals()
        die_with_parent()
        if os.getppid() != parent:
            os._exit(0)
        gc.freeze()  # collecting what came by the fork would copy its pages
        torch.set_num_threads(1)
        while True:
            arguments = connection.recv_bytes()
            try:
                kind, answer = _ANSWER, pack(function(*pickle.loads(arguments)), buffer)
            except BaseException as error:
                kind, answer = _ERROR, pack_error(error)
            connection.send_bytes(kind)
            connection.send_bytes(answer)
    except (EOFError, OSError):
        os._exit(0)
    finally:
        os._exit(1)


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Have the system send this process a signal when its parent ends, even from within a hung decoder.

    Only Linux can. The parent is the thread that started it.
    """
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, number)


def _limit_silence(connection: Connection) -> None:
    """Let a read or write on a socket that nothing goes through fail, with BlockingIOError."""
    limit = divmod(round(1e6 * waiting_times.SILENCE), 1_000_000)  # struct timeval
    with socket.socket(fileno=os.dup(connection.fileno())) as same:
        for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
            same.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", *limit))
