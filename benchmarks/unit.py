"""One GloRe unit: ours, in the published order, and pytorchvideo's pooled non-local block.

    python benchmarks/unit.py                              # CPU, fp32, Res3 and Res4, 8 frames
    python benchmarks/unit.py --frames 32 --batch 1
    python benchmarks/unit.py --device cuda --dtype bfloat16 --channels-last --compile --frames 8 32

Times are minima over interleaved rounds, forward (eval) and forward + backward (train); ratios are
to the published order. "floor" is the time in which the device's measured copy bandwidth moves
what any unit must read and write: x and the output forward, and with the backward pass x again,
both gradients besides.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable, Sequence

import torch
from timing import bandwidth, compare, saved_bytes
from torch import Tensor, nn

from glore_video.models import GloreUnit3d, insert_nonlocal

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
    print(
        f"{'':34}{'eval ms':>9}{'ratio':>7}{'train ms':>10}{'ratio':>7}"
        f"{'saved MB':>10}{'ratio':>7}{'peak MB':>9}{'ratio':>7}"
    )
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
    eval_costs = compare(infers, **settings)
    saved = {
        name: saved_bytes(lambda m=m: forward(m.train(), x.detach().requires_grad_()), m)
        for name, m in modules.items()
    }
    base = "published"
    for name in modules:
        row = f"{title + ', ' + name:34}"
        for cost, scale, width in (
            ({n: c.seconds for n, c in eval_costs.items()}, 1e3, 9),
            ({n: c.seconds for n, c in train_costs.items()}, 1e3, 10),
            (saved, 1e-6, 10),
            ({n: c.peak_bytes for n, c in train_costs.items()}, 1e-6, 9),
        ):
            ratio = cost[name] / cost[base] if cost.get(base) else float("nan")
            row += f"{cost[name] * scale:{width}.1f}{ratio:7.2f}"
        print(row, flush=True)
    size = x.numel() * x.element_size() / bytes_a_second * 1e3
    print(f"{title + ', floor':34}{2 * size:9.2f}{'':7}{5 * size:10.2f}", flush=True)


def units(channels: int, args: argparse.Namespace) -> dict[str, nn.Module]:
    ours = GloreUnit3d(channels)
    nn.init.ones_(ours.blocker.weight)
    published = copy.deepcopy(ours)
    published.order = "published"
    forms: dict[str, nn.Module] = {"ours": ours, "published": published}
    if args.nonlocal_block:
        host = nn.Sequential(nn.Identity())
        insert_nonlocal(host, after=["0"], channels=channels)
        forms["non-local"] = host
    return forms


def copied(module: nn.Module, args: argparse.Namespace) -> nn.Module:
    module = copy.deepcopy(module)
    return torch.compile(module) if args.compile else module  # type: ignore[return-value]


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16", "float16"])
    parser.add_argument("--stages", nargs="+", default=list(STAGES), choices=list(STAGES))
    parser.add_argument("--batch", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--frames", nargs="+", type=int, default=[8])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=0, help="of the CPU; torch's own by default")
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--cpu-time", action="store_true", help="CPU seconds, not wall-clock ones")
    parser.add_argument(
        "--no-nonlocal", dest="nonlocal_block", action="store_false", help="leave that block out"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
