"""One GloRe unit in every form, and pytorchvideo's non-local block: launches, bytes, time, side by side.

    python benchmarks/unit.py                              # CPU, fp32, Res3 and Res4, 8 frames
    python benchmarks/unit.py --frames 32 --batch 1 --compile
    python benchmarks/unit.py --device cuda --dtype bfloat16 --channels-last --compile --batch 8 32
    python benchmarks/unit.py --counts --compile --json counts.json     # what does not depend on a device

Forms are the orders of the unit's products, "ours" (the order that "auto" takes), "fused" (ours after
`fuse_for_inference`), "non-local" (pointwise-embedded, keys and values pooled 1x2x2), and on a GPU that has
Triton "triton"; with --compile each once more under `torch.compile`. Inference is a forward pass in eval mode, training one and its
backward pass.

launches   eager: operators that are no views; compiled: inductor's library calls and fused kernels
kernels    that a GPU ran, by its profiler, and "busy ms" while one of them ran
moved      what all operators read and write, as if nothing stayed in a cache between two of them
saved      kept for the backward pass
peak       memory needed at most above parameters and input
ms         of the fastest of interleaved rounds; "ratio" to the published order, eager
/ floor    time over that in which the measured bandwidth of copies moves what any unit must read and
           write: x and the output, in training x again and both gradients. Tensors that fit into a cache
           can move faster.
"""

from __future__ import annotations

import argparse
import itertools
import logging
from collections.abc import Iterator, Sequence
from importlib.util import find_spec

import torch
from results_file import write_results
from side_by_side import Pass, Row, add_measuring_arguments, autocast, measure, print_table
from timing import bandwidth, device_name
from torch import Tensor, nn
from unit_forms import COUNTED, FORMS, NONLOCAL, STAGES, an_input, build, chosen_order, timed_forms

from glore_video.cli.arguments import Parser, positive


def main(argv: Sequence[str] | None = None) -> None:
    args = parse(argv)
    logging.getLogger("torch").setLevel(logging.ERROR)
    if args.threads:
        torch.set_num_threads(args.threads)
    device = torch.device(args.device)
    bytes_a_second = None if args.counts else bandwidth(device)
    print(
        f"{device_name(device)}, torch {torch.__version__}, {torch.get_num_threads()} threads"
        + (f", copies {bytes_a_second / 1e9:.0f} GB/s" if bytes_a_second else "")
    )
    rows: list[Row] = []
    sizes = itertools.product(args.batch, args.frames, args.dtype, args.stages, (True, False))
    for batch, frames, dtype, stage, training in sizes:
        torch.manual_seed(0)
        x = an_input(
            stage, batch=batch, frames=frames, channels_last=args.channels_last, device=device
        )
        # Activations come in the low precision where the network computes in it.
        x = x.to(getattr(torch, dtype))
        size = x.numel() * x.element_size()
        floor = (5 if training else 2) * size
        what = {
            "stage": stage,
            "batch": batch,
            "frames": frames,
            "dtype": dtype,
            "channels_last": args.channels_last,
            "pass": "training" if training else "inference",
        }
        found = [{**what, **row, "floor_bytes": floor} for row in forms(x, args, training=training)]
        for row in found if bytes_a_second else ():
            row["over_floor"] = row["seconds"] / (floor / bytes_a_second)
        with autocast(device, x.dtype):
            order = chosen_order(x, training=training)
        print(title(what) + f": ours is {order}; floor {floor / 1e6:.1f} MB", end="")
        print(f", {floor / bytes_a_second * 1e3:.3f} ms" if bytes_a_second else "")
        names = [row["form"] + ", compiled" * (row["mode"] == "compiled") for row in found]
        print_table(names, found)
        rows += found
        facts = {"copied_bytes_a_second": bytes_a_second} if bytes_a_second else {}
        write_results(args.json, device, rows, **facts)


def forms(x: Tensor, args: argparse.Namespace, *, training: bool) -> Iterator[Row]:
    """A row a form, those compiled after the others."""
    passes = {}
    for name in args.forms:
        if name == NONLOCAL and not find_spec("pytorchvideo"):
            continue
        module = build(name, x.shape[1], training=training)
        if module is not None:
            passes[name, "eager"] = a_pass(module.to(x.device), x, training=training)
    if args.compile is not None:
        # A code object is compiled a few times at most, whoever asks: forms of other sizes are forgotten.
        torch.compiler.reset()
        for name in [name for name, _ in passes if name in (args.compile or args.forms)]:
            module = torch.compile(passes[name, "eager"].module, backend=args.backend)
            passes[name, "compiled"] = a_pass(module, x, training=training, compiled=True)
    rounds = 0 if args.counts else args.rounds
    rows = measure(passes, device=x.device, rounds=rounds, cpu_time=args.cpu_time)
    for (name, mode), row in rows.items():
        if args.counts and mode == "eager":
            row["forward_macs"] = multiply_adds(passes[name, mode].module, x)
        yield {"form": name, "mode": mode, **row}


def a_pass(module: nn.Module, x: Tensor, *, training: bool, compiled: bool = False) -> Pass:
    gradient = torch.randn_like(x)

    def forward() -> Tensor:
        with autocast(x.device, x.dtype):
            return module(x.detach().requires_grad_(training))

    def train() -> None:
        module.zero_grad()
        forward().backward(gradient)

    @torch.no_grad()
    def infer() -> None:
        forward()

    if training:
        return Pass(train, module, forward, compiled=compiled)
    return Pass(infer, module, compiled=compiled)


def multiply_adds(module: nn.Module, x: Tensor) -> int:
    """Of a forward pass of all clips, as `glore-video complexity` counts."""
    from glore_video.models import count_complexity

    complexity = count_complexity(module, x.shape[1:], training=module.training)
    return round(complexity.gmacs * 1e9) * x.shape[0]


def title(what: Row) -> str:
    layout = ", channels-last" if what["channels_last"] else ""
    return (
        f"\n{what['stage']}, batch {what['batch']}, {what['frames']} frames, {what['dtype']}{layout}, "
        f"{what['pass']}"
    )


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_measuring_arguments(parser, rounds=7)
    parser.add_argument(
        "--compile", nargs="*", choices=FORMS, help="these forms compiled, too; none named: all"
    )
    parser.add_argument("--forms", nargs="+", choices=FORMS, help="by default all of the above")
    parser.add_argument(
        "--dtype", nargs="+", default=["float32"], choices=["float32", "bfloat16", "float16"]
    )
    parser.add_argument("--stages", nargs="+", default=list(STAGES), choices=list(STAGES))
    parser.add_argument("--batch", nargs="+", type=positive, default=[1, 8])
    parser.add_argument("--frames", nargs="+", type=positive, default=[8])
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--counts", action="store_true", help="measure no times; count products")
    args = parser.parse_args(argv)
    if args.forms is None:
        args.forms = COUNTED if args.counts else timed_forms(torch.device(args.device))
    if not args.counts and "published" not in args.forms:
        parser.error("--forms must have published among them, to which ratios are")
    if NONLOCAL in args.forms and not find_spec("pytorchvideo"):
        print("the non-local block is left out: pytorchvideo is not installed")
    return args


if __name__ == "__main__":
    main()
