"""How the processes of a run find one another, and what is said if they do not."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import torch
import torch.distributed as dist

from glore_video.engine.launch.activity import Activity
from glore_video.engine.launch.failures import Failures
from glore_video.engine.launch.heartbeat import Heartbeat
from glore_video.errors import UsageError
from glore_video.processes.torch_words import is_port_taken

# Set for the processes of a launcher that serves the store itself.
STORE_SERVED = "GLORE_VIDEO_STORE_SERVED"
_PREFIX = "glore_video"
_LONGEST_RENDEZVOUS = 600.0
_NEVER = timedelta(days=365)


@contextmanager
def joined(
    rank: int, world_size: int, *, device: torch.device, activity: Activity, timeout: float
) -> Iterator[Failures]:
    """Within it, this process is one of the default process group, NCCL for GPUs, else gloo.

    Gives where processes tell one another that they fail.

    MASTER_ADDR and MASTER_PORT in the environment say where rank 0 or the launcher serves the
    store. A Heartbeat runs if timeout is above 0. The group's own time-out, which knows no names,
    is longer.

    Raises ValueError if the processes do not find one another within ten minutes, or within
    timeout if that is shorter.
    """
    host, port = _address()
    seconds = min(timeout or _LONGEST_RENDEZVOUS, _LONGEST_RENDEZVOUS)
    server, token = _meet(host, port, rank=rank, world_size=world_size, seconds=seconds)
    try:
        dist.init_process_group(
            "nccl" if device.type == "cuda" else "gloo",
            store=dist.PrefixStore(f"{_PREFIX}/{token}/group", server),
            rank=rank,
            world_size=world_size,
            timeout=timedelta(seconds=2 * timeout + 60) if timeout else _NEVER,
        )
    except RuntimeError as error:
        reason = str(error).strip().partition("\n")[0]
        raise UsageError(
            f"rank {rank} on {socket.gethostname()} met the others at {host} but can't connect to "
            f"them: {reason}. Ports between the machines must be open; GLOO_SOCKET_IFNAME and "
            "NCCL_SOCKET_IFNAME choose the network interface"
        ) from None
    failures = Failures(dist.PrefixStore(f"{_PREFIX}/{token}/beats", server), rank)
    heartbeat = None
    if timeout:
        heartbeat = Heartbeat(
            activity,
            lambda: dist.PrefixStore(f"{_PREFIX}/{token}/beats", _client(host, port, 30.0)),
            rank=rank,
            world_size=world_size,
            host=socket.gethostname(),
            timeout=timeout,
        )
        heartbeat.start()
    try:
        yield failures
    finally:
        if heartbeat is not None:
            heartbeat.stop()
        dist.destroy_process_group()


def _address() -> tuple[str, int]:
    host, port = (os.environ.get(name, "") for name in ("MASTER_ADDR", "MASTER_PORT"))
    if not host:
        raise UsageError("RANK is set but MASTER_ADDR is not: the host name of rank 0 is needed")
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise UsageError(f"MASTER_PORT = {port!r} in the environment is not a port, 1 to 65535")
    return host, int(port)


def _client(host: str, port: int, seconds: float) -> dist.TCPStore:
    return dist.TCPStore(
        host, port, is_master=False, timeout=timedelta(seconds=seconds), wait_for_workers=False
    )


def _meet(
    host: str, port: int, *, rank: int, world_size: int, seconds: float
) -> tuple[dist.TCPStore, str]:
    """The store, and a token that all ranks of this start have and no other start has.

    torchrun may keep one store for several starts, whose keys are all still there. So each rank
    brings a token of its own to rank 0, which answers to it: an answer can't be an old one.
    """
    deadline = time.monotonic() + seconds
    server = _open_store(host, port, rank=rank, seconds=seconds)
    store = dist.PrefixStore(_PREFIX, server)
    own = os.urandom(8).hex()
    joined = {other: f"joined/{other}" for other in range(world_size)}
    if rank == 0:
        token = own
        joined = {other: f"{token}/{key}" for other, key in joined.items()}
        store.set(joined[0], "")
        missing = set(range(1, world_size))
        while missing and time.monotonic() < deadline:
            for other in missing:
                if store.check([f"hello/{other}"]):
                    store.set(f"welcome/{other}/{store.get(f'hello/{other}').decode()}", token)
            missing = {other for other in missing if not store.check([joined[other]])}
            time.sleep(0.02)
    else:
        store.set(f"hello/{rank}", own)
        missing = {0}
        with suppress(RuntimeError):
            store.wait([f"welcome/{rank}/{own}"], timedelta(seconds=seconds))
            token = store.get(f"welcome/{rank}/{own}").decode()
            joined = {other: f"{token}/{key}" for other, key in joined.items()}
            store.set(joined[rank], "")
            missing = set()
    if not missing:
        rest = max(1.0, deadline - time.monotonic())
        with suppress(RuntimeError):
            store.wait(list(joined.values()), timedelta(seconds=rest))
        try:
            missing = {other for other, key in joined.items() if not store.check([key])}
        except RuntimeError:  # rank 0 has given up, and its store is gone
            missing = {0}
    if missing:
        raise UsageError(
            f"rank {', '.join(map(str, sorted(missing)))} of {world_size} did not come to "
            f"MASTER_ADDR {host}, MASTER_PORT {port} within {seconds:g} s: start all of them, with "
            "the same MASTER_ADDR, MASTER_PORT and WORLD_SIZE"
        )
    return server, token


def _open_store(host: str, port: int, *, rank: int, seconds: float) -> dist.TCPStore:
    served = STORE_SERVED in os.environ or os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    try:
        if rank or served:
            return _client(host, port, seconds)
        return dist.TCPStore(
            host, port, is_master=True, timeout=timedelta(seconds=seconds), wait_for_workers=False
        )
    except RuntimeError as error:
        if is_port_taken(error):
            raise UsageError(
                f"MASTER_PORT = {port} is taken on {socket.gethostname()}; set another one, the "
                "same for all processes"
            ) from None
        raise UsageError(
            f"rank {rank} on {socket.gethostname()} found nobody at MASTER_ADDR {host}, MASTER_PORT "
            f"{port} within {seconds:g} s: MASTER_ADDR must be the machine of rank 0, started by "
            "then, its port open to this one"
        ) from None
