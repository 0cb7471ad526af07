"""Tensors of constants: made once for a device, and anew where a mode takes torch's operators."""

import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

from glore_video.pixels.kept_tensors import kept_on_device


@kept_on_device(maxsize=2)
def constants(numbers, device):
    """Of a device."""
    return torch.tensor(numbers, device=device)


def test_once_for_each_device():
    cpu = torch.device("cpu")
    first = constants((1.0, 2.0), cpu)
    assert constants((1.0, 2.0), cpu) is first
    assert constants((1.0, 2.0), torch.device("meta")).device.type == "meta"
    assert constants.__doc__ == "Of a device."


def test_outside_of_inference_mode_they_can_be_learnt_from():
    with torch.inference_mode():
        made = constants((3.0,), torch.device("cpu"))
    assert not made.is_inference()


def test_fake_tensors_stay_in_their_mode():
    cpu = torch.device("cpu")
    for _ in range(2):
        with FakeTensorMode():
            assert isinstance(constants((4.0,), cpu), FakeTensor)
    assert not isinstance(constants((4.0,), cpu), FakeTensor)
    with FakeTensorMode():
        assert isinstance(constants((4.0,), cpu) + 1, FakeTensor)
