"""What a device does in a second, fitted to the times of GloRe units in all orders of their products.

    python benchmarks/device_rates.py                                  # CPU
    python benchmarks/device_rates.py --device cuda --json rates.json

Prints the line for glore_video/models/units/device_rates.py, of a chip for `MEASURED`, and how well times
follow from it: what the order that it chooses takes over the fastest one, for each size and pass.
Times are minima over interleaved rounds.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from timing import compare, device_here
from torch import Tensor, nn

from glore_video.cli.arguments import Parser, not_negative, positive
from glore_video.models import GloreUnit2d
from glore_video.models.units.device_rates import DeviceRates
from glore_video.models.units.unit_costs import Chosen, UnitCost, UnitSizes, unit_cost

ORDERS: tuple[Chosen, ...] = ("published", "reassociated", "lean")
# Channels and positions of a clip: the paper's stages among them.
SIZES = [
    *((64, 196), (64, 1024), (256, 784), (512, 784), (512, 3136), (512, 8192)),
    *((1024, 196), (1024, 784)),
]
LARGEST = {"cpu": 14_000_000, "cuda": 200_000_000}  # numbers of an input


class Timed(NamedTuple):
    """One pass in one order, and what it costs."""

    sizes: UnitSizes
    training: bool
    order: Chosen
    cost: UnitCost
    seconds: float


def main(argv: Sequence[str] | None = None) -> None:
    args = parse(argv)
    torch.manual_seed(0)
    if args.threads:
        torch.set_num_threads(args.threads)
    device = torch.device(args.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    print(f"{name}, torch {torch.__version__}, {torch.get_num_threads()} threads")
    single = measure(device, torch.float32, args)
    launch, bandwidth, rate = fit(single)
    report("float32", single, DeviceRates(launch, bandwidth, rate, rate), 4)
    half_rate = rate
    if device.type == "cuda":
        half = measure(device, torch.bfloat16, args)
        half_rate = fit(half, known=(launch, bandwidth))[2]
        report("bfloat16", half, DeviceRates(launch, bandwidth, rate, half_rate), 2)
    rates = DeviceRates(launch, bandwidth, rate, half_rate)
    numbers = ", ".join(f"{number:.2g}" for number in rates)
    line = (
        f'"{name}": DeviceRates({numbers}),'
        if device.type == "cuda"
        else f"CPU = DeviceRates({numbers})"
    )
    print(f"\n    {line}")
    if args.json:
        text = json.dumps({"device": name, "torch": torch.__version__, **rates._asdict()}, indent=2)
        Path(args.json).write_text(text + "\n")


def measure(device: torch.device, dtype: torch.dtype, args: argparse.Namespace) -> list[Timed]:
    half = dtype != torch.float32
    timed = []
    for (channels, positions), batch in itertools.product(args.sizes, args.batch):
        if channels * positions * batch > LARGEST.get(device.type, LARGEST["cuda"]):
            continue
        sizes = UnitSizes(channels, channels // 4, channels // 2, positions, batch)
        x = torch.randn(batch, channels, 1, positions, device=device, dtype=dtype)
        if half:
            x = x.to(memory_format=torch.channels_last)
        for training in (True, False):
            runs = {
                order: one_pass(unit, x, training, half)
                for order, unit in units(channels, device).items()
            }
            costs = compare(runs, rounds=args.rounds, device=device)
            for order in ORDERS:
                cost = unit_cost(
                    order, sizes, training=training, itemsize=dtype.itemsize, casts=half
                )
                timed.append(Timed(sizes, training, order, cost, costs[order].seconds))
    return timed


def units(channels: int, device: torch.device) -> dict[Chosen, GloreUnit2d]:
    unit = GloreUnit2d(channels).to(device)
    nn.init.ones_(unit.blocker.weight)  # type: ignore[arg-type]
    made = {order: copy.deepcopy(unit) for order in ORDERS}
    for order, form in made.items():
        form.order = order
    return made


def one_pass(unit: nn.Module, x: Tensor, training: bool, half: bool) -> Callable[[], object]:
    unit.train(training)
    gradient = torch.randn_like(x)

    def run() -> None:
        unit.zero_grad()
        with (
            torch.set_grad_enabled(training),
            torch.autocast(x.device.type, torch.bfloat16, enabled=half),
        ):
            y = unit(x.detach().requires_grad_(training))
        if training:
            y.backward(gradient)

    return run


def fit(
    timed: Sequence[Timed], known: tuple[float, float] | None = None
) -> tuple[float, float, float]:
    """Seconds a launch, bytes a second, multiply-adds a second: least squares of relative errors.

    What adds no time that could be told apart is taken for so fast that it adds a hundredth at most.

    Args:
        known: the first two, so that the last alone is fitted.
    """
    costs = np.array([each.cost for each in timed], dtype=float)
    seconds = np.array([each.seconds for each in timed])
    parts = costs / seconds[:, None]  # of the time, a second of each factor
    factors = np.array([0.0, 0.0, 0.0] if known is None else [known[0], 1 / known[1], 0.0])
    fitted = np.flatnonzero(factors == 0)
    rest = 1 - parts @ factors
    while len(fitted):
        found, *_ = np.linalg.lstsq(parts[:, fitted], rest, rcond=None)
        if (found > 0).all():
            factors[fitted] = found
            break
        fitted = np.delete(fitted, found.argmin())
    factors = np.where(factors > 0, factors, 0.01 / parts.max(axis=0))
    launch, a_byte, a_product = (float(factor) for factor in factors)
    return launch, 1 / a_byte, 1 / a_product


def report(title: str, timed: Sequence[Timed], rates: DeviceRates, itemsize: int) -> None:
    groups: dict[tuple[UnitSizes, bool], list[Timed]] = {}
    for each in timed:
        groups.setdefault((each.sizes, each.training), []).append(each)
    print(
        f"\n{title + ': channels x positions x batch':44}{'fastest':>14}{'chosen':>14}{'over':>7}"
    )
    over = []
    for (sizes, training), passes in groups.items():
        fastest = min(passes, key=lambda p: p.seconds)
        chosen = min(passes, key=lambda p: rates.seconds(*p.cost, itemsize))
        over.append(chosen.seconds / fastest.seconds)
        size = f"{sizes.channels} x {sizes.positions} x {sizes.batch}"
        kind = "training" if training else "inference"
        print(f"{size + ', ' + kind:44}{fastest.order:>14}{chosen.order:>14}{over[-1]:7.2f}")
    errors = [abs(rates.seconds(*t.cost, itemsize) / t.seconds - 1) for t in timed]
    print(
        f"chosen over fastest: {np.mean(over):.3f} in the mean, {max(over):.2f} at most; times are off by "
        f"{np.mean(errors):.0%} in the mean"
    )


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", type=device_here, default="cpu", help="cpu or cuda")
    parser.add_argument("--batch", nargs="+", type=positive, default=[1, 2, 8])
    parser.add_argument(
        "--sizes",
        nargs="+",
        type=_size,
        default=SIZES,
        metavar="CHANNELSxPOSITIONS",
        help="of clips, such as 512x3136",
    )
    parser.add_argument("--rounds", type=positive, default=5)
    parser.add_argument(
        "--threads", type=not_negative, default=0, help="of the CPU; torch's own by default"
    )
    parser.add_argument("--json", metavar="FILE", help="also write the rates there")
    return parser.parse_args(argv)


def _size(text: str) -> tuple[int, int]:
    channels, _, positions = text.partition("x")
    return positive(channels), positive(positions)


if __name__ == "__main__":
    main()
