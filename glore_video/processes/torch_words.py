"""What torch says of processes, batches and connections in words alone, read in one place."""

from __future__ import annotations

import errno
import re
import sys
from typing import Any


def dead_workers(text: str) -> list[int]:
    """Process numbers of the reading workers whose death this tells of; none if it tells of none."""
    found = re.match(r"DataLoader worker \(pid(?:\(s\))? ([\d, ]+)\) ", text)
    return [int(number) for number in found[1].split(",")] if found else []


def signal_of_death(text: str) -> str:
    """In words, as in "Killed" or "Bus error"; empty if no signal ended the worker."""
    found = re.search(r"killed by signal: ([\w ]+)", text)
    return found[1] if found else ""


def status_of_death(text: str) -> int | None:
    """Exit status of the worker, if it is told."""
    found = re.search(r"exit code (\d+)", text)
    return int(found[1]) if found else None


def seconds_without_batches(text: str) -> str:
    """The time limit of a loader none of whose workers has given anything within it; else empty."""
    return text.split()[4] if text.startswith("DataLoader timed out after ") else ""


def carried_over(text: str) -> str:
    """Type and message of an error that torch itself has carried over from a worker; else empty."""
    if text.startswith("Caught ") and "\nOriginal Traceback" in text:
        return text.strip().rpartition("\n")[2]
    return ""


def is_path_too_long(error: Exception) -> bool:
    """Whether a socket could not be made because its folder's path is too long."""
    return "AF_UNIX path too long" in str(error)


def is_without_shared_memory(error: Exception) -> bool:
    text = str(error)
    full = getattr(error, "errno", None) == errno.ENOSPC
    return full or "shared memory" in text or "shm" in text


def is_port_taken(error: RuntimeError) -> bool:
    return "EADDRINUSE" in str(error) or "already in use" in str(error)


def is_lost_connection(error: Exception) -> bool:
    """Whether it is gloo's or NCCL's way to say that another process does not answer."""
    dist: Any = sys.modules.get("torch.distributed")  # commands ask before torch is there
    if dist is None or not dist.is_available():
        return False
    if isinstance(error, (dist.DistBackendError, dist.DistNetworkError)):
        return True
    return type(error) is RuntimeError and "gloo" in str(error).lower() and dist.is_initialized()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether this process asked a GPU, or torch its machine, for more memory than there is."""
    torch: Any = sys.modules.get("torch")
    if torch is None or not isinstance(error, RuntimeError):
        return False
    text = str(error)
    return not carried_over(text) and (
        isinstance(error, torch.OutOfMemoryError) or any(words in text for words in _OUT_OF_MEMORY)
    )


# Of the allocator for CPUs, of drivers, and of libraries that ask for workspaces of their own.
_OUT_OF_MEMORY = (
    "DefaultCPUAllocator: ",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)


def memory_asked_for(error: BaseException) -> str:
    """How much could not be had, and of how much in all, as far as the error tells: "2.00 GiB of 80.00 GiB"."""
    text = str(error)
    asked = re.search(r"[Tt]ried to allocate ([\d.]+) ([KMG]iB|bytes)", text)
    total = re.search(r"total capacity of ([\d.]+ [KMG]iB)", text)
    if not asked:
        return ""
    amount = f"{int(asked[1]) / 2**30:.2f} GiB" if asked[2] == "bytes" else f"{asked[1]} {asked[2]}"
    return f"{amount} of {total[1]}" if total else amount
