"""How the processes of a run find one another, and what is said if they do not."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist

from glore_video.engine.heartbeat import Activity, Heartbeat

# Set for the processes of a launcher that serves the store itself.
STORE_SERVED = "GLORE_VIDEO_STORE_SERVED"
_LONGEST_RENDEZVOUS = 600.0
_NEVER = timedelta(days=365)


@contextmanager
def joined(
    rank: int, world_size: int, *, device: torch.device, activity: Activity, timeout: float
) -> Iterator[None]:
    """Within it, this process is one of the default process group, NCCL for GPUs, else gloo.

    MASTER_ADDR and MASTER_PORT in the environment say where rank 0 or the launcher serves the
    store. A Heartbeat runs if timeout is above 0. The group's own time-out, which knows no names,
    is longer.

    Raises ValueError if the processes do not find one another within ten minutes, or within
    timeout if that is shorter.
    """
    host, port = _address()
    seconds = min(timeout or _LONGEST_RENDEZVOUS, _LONGEST_RENDEZVOUS)
    store = _meet(host, port, rank=rank, world_size=world_size, seconds=seconds)
    dist.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        store=dist.PrefixStore("group", store),
        rank=rank,
        world_size=world_size,
        timeout=timedelta(seconds=2 * timeout + 60) if timeout else _NEVER,
    )
    heartbeat = None
    if timeout:
        token: list[str] = [os.urandom(8).hex()]
        dist.broadcast_object_list(token, device=device)
        heartbeat = Heartbeat(
            activity,
            lambda: dist.PrefixStore(f"glore_video/{token[0]}", _client(host, port, 30.0)),
            rank=rank,
            world_size=world_size,
            host=socket.gethostname(),
            timeout=timeout,
        )
        heartbeat.start()
    try:
        yield
    finally:
        if heartbeat is not None:
            heartbeat.stop()
        dist.destroy_process_group()


def _address() -> tuple[str, int]:
    host, port = (os.environ.get(name, "") for name in ("MASTER_ADDR", "MASTER_PORT"))
    if not host:
        raise ValueError("RANK is set but MASTER_ADDR is not: the host name of rank 0 is needed")
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"MASTER_PORT = {port!r} in the environment is not a port, 1 to 65535")
    return host, int(port)


def _client(host: str, port: int, seconds: float) -> dist.TCPStore:
    return dist.TCPStore(
        host, port, is_master=False, timeout=timedelta(seconds=seconds), wait_for_workers=False
    )


def _meet(host: str, port: int, *, rank: int, world_size: int, seconds: float) -> dist.Store:
    """The store, once all ranks have come to it."""
    where = f"MASTER_ADDR {host}, MASTER_PORT {port}"
    served = STORE_SERVED in os.environ or os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    try:
        if rank == 0 and not served:
            server = dist.TCPStore(
                host,
                port,
                is_master=True,
                timeout=timedelta(seconds=seconds),
                wait_for_workers=False,
            )
        else:
            server = _client(host, port, seconds)
    except RuntimeError as error:
        if "EADDRINUSE" in str(error) or "already in use" in str(error):
            raise ValueError(
                f"MASTER_PORT = {port} is taken on {socket.gethostname()}; set another one, the "
                "same for all processes"
            ) from None
        raise ValueError(
            f"rank {rank} on {socket.gethostname()} found nobody at {where} within {seconds:g} s: "
            "MASTER_ADDR must be the machine of rank 0, started by then, its port open to this one"
        ) from None
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    store = dist.PrefixStore(f"glore_video/attempt_{attempt}", server)
    store.set(f"here/{rank}", "")
    keys = [f"here/{other}" for other in range(world_size)]
    try:
        store.wait(keys, timedelta(seconds=seconds))
    except RuntimeError:
        missing = [str(other) for other, key in enumerate(keys) if not store.check([key])]
        raise ValueError(
            f"rank {', '.join(missing)} of {world_size} did not come to {where} within "
            f"{seconds:g} s: start all of them, with the same MASTER_ADDR, MASTER_PORT and WORLD_SIZE"
        ) from None
    return store
