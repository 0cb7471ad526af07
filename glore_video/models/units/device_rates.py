"""What devices do in a second, by which the order of a GloRe unit's products is chosen.

A time is launches x seconds a launch + bytes / bandwidth + multiply-adds / rate, one after the other.
`benchmarks/device_rates.py` measures a device and prints its line for `MEASURED`.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import torch


class DeviceRates(NamedTuple):
    """Of one device.

    Attributes:
        launch_seconds: from one operator to the next, where they wait for Python and autograd.
        bytes_a_second: read and written by operators that wait for memory.
        multiply_adds_a_second: of products in float32.
        half_multiply_adds_a_second: of products in bfloat16 or float16.
    """

    launch_seconds: float
    bytes_a_second: float
    multiply_adds_a_second: float
    half_multiply_adds_a_second: float

    def seconds(self, launches: int, bytes: int, multiply_adds: int, itemsize: int) -> float:
        """Of so many launches, bytes and multiply-adds of numbers of `itemsize` bytes."""
        rate = self.multiply_adds_a_second * min(1.0, 4 / itemsize)
        if itemsize < 4:
            rate = self.half_multiply_adds_a_second
        return launches * self.launch_seconds + bytes / self.bytes_a_second + multiply_adds / rate


# Fitted to the times of 21 sizes, both passes, on one and two cores of an AMD EPYC (AVX2): seconds a
# launch 15e-6, bytes a second 17e9 and 27e9, multiply-adds a second 49e9 and 93e9. Only ratios
# matter, and these differ little from core to core.
CPU = DeviceRates(15e-6, 20e9, 60e9, 60e9)
# Of a GPU that nobody has measured: half of an H200's data sheet. Slower chips wait less for launches
# than this says, so that an order with more of them is chosen too seldom rather than too often.
UNMEASURED_GPU = DeviceRates(7e-6, 2.4e12, 17e12, 250e12)
# By torch.cuda.get_device_name(): one set of rates a chip, so that all processes of a run choose alike.
MEASURED: dict[str, DeviceRates] = {}


def device_rates(device: torch.device) -> DeviceRates:
    """Of a device: measured ones, or those of its kind."""
    if device.type == "cpu":
        return CPU
    return MEASURED.get(_name(device), UNMEASURED_GPU)


@cache
def _name(device: torch.device) -> str:
    # Memory is counted as on a GPU where there is none.
    is_there = device.type == "cuda" and torch.cuda.is_available()
    return torch.cuda.get_device_name(device) if is_there else device.type
