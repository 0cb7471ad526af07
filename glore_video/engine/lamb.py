"""LAMB (arXiv:1904.00962): Adam whose steps are as long as each layer's weights call for; timm's."""

from __future__ import annotations

from typing import Any

import torch
from timm.optim import Lamb as TimmLamb


class Lamb(TimmLamb):
    """timm's LAMB, which leaves an update out as torch's fused optimisers do.

    They look at `found_inf` on the device; here the host reads it, and so waits for the device once a
    step.
    """

    found_inf: torch.Tensor | None = None

    def step(self, closure: Any = None) -> Any:
        if self.found_inf is not None and self.found_inf:
            return None
        return super().step(closure)
