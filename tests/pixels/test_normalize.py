"""Colours of whole batches: the values, their order in memory, and what the device is asked for."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from glore_video.pixels.normalize import Normalize, normalize_batch

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CPU = torch.device("cpu")
PLAIN = torch.contiguous_format
FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


@pytest.mark.parametrize("positions", [(5,), (4, 2), (4, 2, 2)], ids=["1D", "pictures", "clips"])
@pytest.mark.parametrize("batch", [1, 2, 3])
def test_colours_are_normalised_channel_by_channel(batch, positions):
    """Also of three pictures or clips, which are as many as there are channels."""
    channels = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 3, *[1] * len(positions))
    pixels = channels.expand(batch, 3, *positions)
    out = normalize_batch(pixels, [0.5, 0.2, 0.0], [0.25, 0.5, 2.0])
    assert out.dtype == torch.float32
    assert out.shape == (batch, 3, *positions)
    for channel, expected in enumerate([-2.0, 0.0, 0.5]):
        # (0 - 0.5) / 0.25, (0.2 - 0.2) / 0.5, (1 - 0) / 2
        wanted = torch.full((batch, *positions), expected)
        torch.testing.assert_close(out[:, channel], wanted, rtol=0, atol=1e-6)


def test_normalize_errors():
    clip = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    with pytest.raises(ValueError, match=r"must be uint8, got torch\.float32"):
        normalize_batch(clip.float(), [0] * 3, [1] * 3)
    with pytest.raises(ValueError, match=r"got shape \(2, 3, 4, 4\), 1 means and 1 stds"):
        normalize_batch(clip, [0.5], [0.2])
    with pytest.raises(ValueError, match="got shape"):
        normalize_batch(clip[0], [0] * 3, [1] * 3)
    with pytest.raises(ValueError, match=r"std must be above 0, got \(1, 0, 1\)"):
        normalize_batch(clip, [0] * 3, [1, 0, 1])


class Operators(TorchDispatchMode):
    """The names of all that are not views."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if not func.is_view:
            self.names.append(func.overloadpacket.__name__)
        return result


def noise(positions, *, interleaved):
    generator = torch.Generator().manual_seed(0)
    batch = torch.randint(0, 256, (2, 3, *positions), dtype=torch.uint8, generator=generator)
    return batch.movedim(1, -1).contiguous().movedim(-1, 1) if interleaved else batch


def written_out(batch):
    """Each channel by itself, a multiplication and an addition of float32 numbers."""
    out = torch.empty(batch.shape)
    for channel, (mean, std) in enumerate(zip(MEAN, STD, strict=True)):
        out[:, channel] = batch[:, channel].float() * (1 / (255 * std)) + (-mean / std)
    return out


@pytest.mark.parametrize("positions", [(7,), (6, 5), (2, 6, 5)], ids=["1D", "pictures", "clips"])
@pytest.mark.parametrize("interleaved", [False, True])
def test_order_in_memory_does_not_change_a_bit(positions, interleaved):
    batch = noise(positions, interleaved=interleaved)
    got = normalize_batch(batch, MEAN, STD)
    assert torch.equal(got, written_out(batch))
    assert got.stride() == batch.stride()


@pytest.mark.parametrize("positions", [(6, 5), (2, 6, 5), (1, 1)])
@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("last", [False, True])
def test_the_network_s_memory_format(positions, interleaved, last):
    batch = noise(positions, interleaved=interleaved)
    wanted = FORMATS[batch.ndim] if last else PLAIN
    got = Normalize(mean=MEAN, std=STD, memory_format=wanted)(batch, CPU)
    assert torch.equal(got, written_out(batch))
    assert got.is_contiguous(memory_format=wanted)


@pytest.mark.parametrize("positions", [(6, 5), (2, 6, 5)], ids=["pictures", "clips"])
@pytest.mark.parametrize(
    ("interleaved", "moved"), [(True, []), (False, ["clone"])], ids=["as wanted", "by colour"]
)
def test_a_device_is_asked_for_two_operators(positions, interleaved, moved):
    """And for one more, of bytes, where the order in memory is another. "meta" stands for a GPU."""
    batch = noise(positions, interleaved=interleaved).to("meta")
    normalize = Normalize(mean=MEAN, std=STD, memory_format=FORMATS[batch.ndim])
    normalize(batch, batch.device)
    with Operators() as seen:
        got = normalize(batch, batch.device)
    assert seen.names == [*moved, "mul", "add_"]
    assert got.dtype == torch.float32
    assert got.is_contiguous(memory_format=FORMATS[batch.ndim])
