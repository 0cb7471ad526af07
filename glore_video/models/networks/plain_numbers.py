"""numpy's numbers in the settings of layers -> Python's, which torch.compile and torch.export need."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import nn


def make_numbers_plain(model: nn.Module) -> None:
    """Turns numpy numbers among the attributes of all modules into Python's, in place.

    Also those in tuples, lists and dicts. pytorchvideo's builders leave such in strides, kernel
    sizes and paddings; what a network computes does not change.
    """
    for module in model.modules():
        for name, value in vars(module).items():
            plain = _plain(value)
            if plain is not value:
                vars(module)[name] = plain


def _plain(value: Any) -> Any:
    """The same object where nothing is to be changed."""
    if isinstance(value, np.generic):
        return value.item()
    if type(value) in (tuple, list):
        parts = [_plain(part) for part in value]
        changed = any(new is not old for new, old in zip(parts, value, strict=True))
        return type(value)(parts) if changed else value
    if type(value) is dict:
        values = {key: _plain(part) for key, part in value.items()}
        return values if any(values[key] is not value[key] for key in value) else value
    return value
