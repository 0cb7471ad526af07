"""One GloRe unit: ours, in the lean and in the published order, and pytorchvideo's non-local block.

    python benchmarks/unit.py                              # CPU, fp32, Res3 and Res4, 8 frames
    python benchmarks/unit.py --frames 32 --batch 1
    python benchmarks/unit.py --device cuda --dtype bfloat16 --channels-last --compile --frames 8 32

Times are minima over interleaved rounds, forward (eval) and forward + backward (train); ratios are
to the published order. "fused" is `fuse_for_inference` of ours. "saved" is kept for the backward
pass, "moved" what all operators of a forward and backward pass read and write, as if nothing stayed
in a cache between two of them, "operators" their number; neither is known of compiled forms. "floor" is what any unit must read
and write, x and the output forward, and with the backward pass x again and both gradients besides,
and the time in which the device's measured copy bandwidth moves that.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable, Sequence

import torch
from memory import moved_bytes, operators, saved_bytes
from timing import bandwidth, compare
from torch import Tensor, nn

from glore_video.cli.arguments import Parser, not_negative, positive
from glore_video.models import GloreUnit3d, fuse_for_inference, insert_nonlocal

# Channels and positions (height, width) of the paper's network at 224 pixels; time is halved.
STAGES = {"res3": (512, 28), "res4": (1024, 14)}


def main(argv: Sequence[str] | None = None) -> None:
    args = parse(argv)
    torch.manual_seed(0)
    if args.threads:
        torch.set_num_threads(args.threads)
    device, dtype = torch.device(args.device), getattr(torch, args.dtype)
    bytes_a_second = bandwidth(device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    print(
        f"{name}, torch {torch.__version__}, {torch.get_num_threads()} threads, {args.dtype}, "
        f"copies {bytes_a_second / 1e9:.0f} GB/s"
    )
    columns = ("eval ms", "train ms", "saved MB", "peak MB", "moved MB", "operators")
    print(f"{'':34}" + "".join(f"{column:>10}{'ratio':>7}" for column in columns))
    for stage in args.stages:
        channels, side = STAGES[stage]
        for batch in args.batch:
            for frames in args.frames:
                x = torch.randn(batch, channels, frames // 2, side, side, device=device)
                if args.channels_last:
                    x = x.contiguous(memory_format=torch.channels_last_3d)
                measure(f"{stage} batch {batch} frames {frames}", x, args, dtype, bytes_a_second)


def measure(
    title: str, x: Tensor, args: argparse.Namespace, dtype: torch.dtype, bytes_a_second: float
) -> None:
    modules = {name: module.to(x.device) for name, module in units(x.shape[1], args).items()}
    half = dtype != torch.float32
    # Activations come in the low precision where the network computes in it.
    x = x.to(dtype)
    gradient = torch.randn_like(x)

    def forward(module: nn.Module, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, dtype=dtype if half else None, enabled=half):
            return module(x)

    def infer(module: nn.Module) -> Callable[[], object]:
        def run() -> None:
            with torch.no_grad():
                forward(module, x)

        return run

    def train(module: nn.Module) -> Callable[[], object]:
        def run() -> None:
            module.zero_grad()
            forward(module, x.detach().requires_grad_()).backward(gradient)

        return run

    settings = {"rounds": args.rounds, "device": x.device, "cpu_time": args.cpu_time}
    trains = {name: train(copied(m, args).train()) for name, m in modules.items()}
    train_costs = compare(trains, **settings)
    infers = {name: infer(copied(m, args).eval()) for name, m in modules.items()}
    infers["fused"] = infer(copied(fuse_for_inference(modules["ours"].eval()), args))
    eval_costs = compare(infers, **settings)
    saved = {
        name: saved_bytes(lambda m=m: forward(m.train(), x.detach().requires_grad_()), m)
        for name, m in modules.items()
    }
    moved = {} if args.compile else {name: moved_bytes(run) for name, run in trains.items()}
    asked = {} if args.compile else {name: operators(run) for name, run in trains.items()}
    columns: list[tuple[dict[str, float], float]] = [
        ({name: c.seconds for name, c in eval_costs.items()}, 1e3),
        ({name: c.seconds for name, c in train_costs.items()}, 1e3),
        (saved, 1e-6),
        ({name: c.peak_bytes for name, c in train_costs.items()}, 1e-6),
        (moved, 1e-6),
        (asked, 1),
    ]
    for name in infers:
        row = f"{title + ', ' + name:34}"
        for cost, scale in columns:
            if name in cost:
                row += f"{cost[name] * scale:10.1f}{cost[name] / cost['published']:7.2f}"
            else:
                row += f"{'-':>10}{'':7}"
        print(row, flush=True)
    size = x.numel() * x.element_size()
    ms = size / bytes_a_second * 1e3
    floor = f"{5 * size / 1e6:10.1f}"
    if moved:
        floor += f"{5 * size / moved['published']:7.2f}"
    print(f"{title + ', floor':34}{2 * ms:10.2f}{'':7}{5 * ms:10.2f}{'':41}{floor}", flush=True)


def units(channels: int, args: argparse.Namespace) -> dict[str, nn.Module]:
    ours = GloreUnit3d(channels)
    nn.init.ones_(ours.blocker.weight)
    forms: dict[str, nn.Module] = {"ours": ours}
    for order in ("lean", "published"):
        form = copy.deepcopy(ours)
        form.order = order
        forms[order] = form
    if args.nonlocal_block:
        host = nn.Sequential(nn.Identity())
        insert_nonlocal(host, after=["0"], channels=channels)
        forms["non-local"] = host
    return forms


def copied(module: nn.Module, args: argparse.Namespace) -> nn.Module:
    module = copy.deepcopy(module)
    return torch.compile(module) if args.compile else module  # type: ignore[return-value]


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16", "float16"])
    parser.add_argument("--stages", nargs="+", default=list(STAGES), choices=list(STAGES))
    parser.add_argument("--batch", nargs="+", type=positive, default=[1, 8])
    parser.add_argument("--frames", nargs="+", type=positive, default=[8])
    parser.add_argument("--rounds", type=positive, default=7)
    parser.add_argument(
        "--threads", type=not_negative, default=0, help="of the CPU; torch's own by default"
    )
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--cpu-time", action="store_true", help="CPU seconds, not wall-clock ones")
    parser.add_argument(
        "--no-nonlocal", dest="nonlocal_block", action="store_false", help="leave that block out"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
