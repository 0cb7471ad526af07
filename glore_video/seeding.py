"""One seed from several numbers, so that every draw has a generator of its own."""

from __future__ import annotations

import numpy as np
import torch


def mixed_seed(*numbers: int) -> int:
    """A 64-bit seed that depends on all the numbers (each at least 0) and on their order."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


def generator_for(*numbers: int) -> torch.Generator:
    return torch.Generator().manual_seed(mixed_seed(*numbers))
