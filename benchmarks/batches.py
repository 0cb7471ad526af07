"""From decoded frames to the network's input: batches by pixel or by colour, normalised on the device.

    python benchmarks/batches.py                    # CPU
    python benchmarks/batches.py --device cuda

For a network that is channels-last ("by pixel") and one that is not ("by colour"): what a reader takes
to put a batch together, and what the device takes to copy and normalise it. "written out" is the usual
way: each clip's colours taken apart, then joined; on the device cast, multiplied, added, and brought
into the network's order. Results are equal to the bit. Minima over interleaved rounds; on a CPU of
processor time, one thread.
"""

from __future__ import annotations

import argparse

import torch
from memory import operators
from timing import compare, device_here
from torch import Tensor

from glore_video.cli.arguments import Parser, positive
from glore_video.data.batches import SampleItem, collate
from glore_video.pixels.normalize import Normalize
from glore_video.pixels.transforms import in_channels, to_clip

MEAN, STD = (0.45, 0.45, 0.45), (0.225, 0.225, 0.225)


def usual_batch(frames: list[Tensor]) -> Tensor:
    return torch.cat([to_clip(each)[None] for each in frames])


def our_batch(frames: list[Tensor], *, by_pixel: bool) -> Tensor:
    items = [SampleItem(in_channels(each)[None], 0, 0) for each in frames]
    inputs = collate(items, interleaved=by_pixel).inputs
    assert inputs is not None
    return inputs


def usual_pixels(batch: Tensor, device: torch.device, memory_format: torch.memory_format) -> Tensor:
    scale = torch.tensor([1 / (255 * s) for s in STD], device=device).view(3, 1, 1, 1)
    shift = torch.tensor([-m / s for m, s in zip(MEAN, STD, strict=True)], device=device)
    pixels = batch.to(device, non_blocking=True).float().mul_(scale).add_(shift.view(3, 1, 1, 1))
    return pixels.contiguous(memory_format=memory_format)


def main() -> None:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", type=device_here, default="cpu")
    parser.add_argument("--clips", type=positive, default=8)
    parser.add_argument("--frames", type=positive, default=8)
    parser.add_argument("--size", type=positive, default=224, help="pixels")
    parser.add_argument("--rounds", type=positive, default=9)
    args = parser.parse_args()
    torch.set_num_threads(1)
    device, cpu = torch.device(args.device), torch.device("cpu")
    on_cpu = device.type == "cpu"
    shape = (args.frames, args.size, args.size, 3)
    frames = [torch.randint(0, 256, shape, dtype=torch.uint8) for _ in range(args.clips)]
    print(f"torch {torch.__version__}, {device}, {args.clips} clips of {shape}")
    print(f"{'':<24}{'ours':>10}{'written out':>14}{'ratio':>8}{'operators':>14}")
    for by_pixel in (True, False):
        order = torch.channels_last_3d if by_pixel else torch.contiguous_format
        normalize = Normalize(mean=MEAN, std=STD, memory_format=order)
        ours, usual = our_batch(frames, by_pixel=by_pixel), usual_batch(frames)
        if not on_cpu:
            ours, usual = ours.pin_memory(), usual.pin_memory()
        assert torch.equal(normalize(ours, device), usual_pixels(usual, device, order))
        reading = compare(
            {
                "ours": lambda by_pixel=by_pixel: our_batch(frames, by_pixel=by_pixel),
                "usual": lambda: usual_batch(frames),
            },
            rounds=args.rounds,
            device=cpu,
            cpu_time=True,
        )
        forms = {
            "ours": lambda batch=ours, normalize=normalize: normalize(batch, device),
            "usual": lambda batch=usual, order=order: usual_pixels(batch, device, order),
        }
        normal = compare(forms, rounds=args.rounds, device=device, cpu_time=on_cpu)
        for what, cost, counts in (
            ("a reader", reading, ""),
            ("the device", normal, " and ".join(str(operators(run)) for run in forms.values())),
        ):
            name = f"{'by pixel' if by_pixel else 'by colour'}, {what}"
            mine, theirs = (1e3 * cost[form].seconds for form in ("ours", "usual"))
            print(f"{name:<24}{mine:>7.2f} ms{theirs:>11.2f} ms{mine / theirs:>8.2f}{counts:>14}")


if __name__ == "__main__":
    main()
