"""State of torch's random number generators: what dropout draws next."""

from __future__ import annotations

import torch
from torch import Tensor


def get_rng_state() -> dict[str, Tensor]:
    """Of the CPU, and of the current GPU if there is one."""
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def set_rng_state(state: dict[str, Tensor]) -> None:
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
