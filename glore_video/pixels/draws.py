"""Single random numbers from a torch.Generator."""

from __future__ import annotations

import torch


def uniform(low: float, high: float, generator: torch.Generator) -> float:
    """A number in [low, high)."""
    return low + (high - low) * float(torch.rand((), dtype=torch.float64, generator=generator))


def whole(low: int, high: int, generator: torch.Generator) -> int:
    """A whole number in [low, high], both included."""
    return int(torch.randint(low, high + 1, (), generator=generator))


def normal(mean: float, std: float, generator: torch.Generator) -> float:
    return mean + std * float(torch.randn((), dtype=torch.float64, generator=generator))


def chance(probability: float, generator: torch.Generator) -> bool:
    """True with this probability."""
    return uniform(0, 1, generator) < probability
