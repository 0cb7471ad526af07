"""A whole network: published order, ours, without units, with non-local blocks, in every form that runs.

    python benchmarks/network.py                                   # CPU, inference, 4 clips, fp32
    python benchmarks/network.py --train --batch 2
    python benchmarks/network.py --device cuda --batch 16 --bf16 --compile --json network.json
    python benchmarks/network.py --device cuda --batch 16 --bf16 --compile --train

Inference forms are eager unless compiled (as MODEL.COMPILE does: all, or the units alone), and "fused" by
`fuse_for_inference`. A training step is forward, loss, backward and SGD's update. Forms are measured in
groups, each with the published order in eager fp32, to which ratios are: times are minima over interleaved
rounds. "units %" is what a network takes on top of the same network without units (or non-local blocks) in
the same form. The other columns are those of `benchmarks/unit.py`. bf16 pays only where the
processor multiplies in it: on a CPU, AVX512-BF16 or AMX.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping, Sequence
from importlib.util import find_spec

import torch
from network_forms import LAST, MODELS, NETWORKS, Form, groups, in_form, networks_of
from results_file import write_results
from side_by_side import Pass, Row, add_measuring_arguments, autocast, measure, print_table
from timing import device_name
from torch import Tensor, nn

from glore_video.cli.arguments import Parser, positive
from glore_video.engine.compiling import Compiling


def main(argv: Sequence[str] | None = None) -> None:
    args = parse(argv)
    logging.getLogger("torch").setLevel(logging.ERROR)
    torch.manual_seed(0)
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.backends.cudnn.benchmark = args.cudnn_benchmark
    device = torch.device(args.device)
    clip = torch.randn(args.batch, 3, args.frames, args.size, args.size, device=device)
    print(
        f"{device_name(device)}, torch {torch.__version__}, {torch.get_num_threads()} threads, "
        f"{args.model}, {'training step' if args.train else 'inference'}, {tuple(clip.shape)}"
    )
    networks = {name: network.to(device) for name, network in networks_of(args.model).items()}
    rows: list[Row] = []
    known: dict[Form, Row] = {}
    compiled = networks if args.compile == [] else args.compile or ()
    for forms in groups(networks, training=args.train, bf16=args.bf16, compiled=compiled):
        # A code object is compiled a few times at most: forms of other groups are forgotten.
        torch.compiler.reset()
        passes = {form: a_pass(networks[form.network], form, clip, args) for form in forms}
        found = measure(passes, device=device, rounds=args.rounds, cpu_time=args.cpu_time)
        known |= found
        add_shares(found, known)
        print()
        print_table([str(form) for form in found], list(found.values()), width=50)
        rows += [as_row(form, row, args) for form, row in found.items()]
        facts = {"model": args.model, "clip": list(clip.shape)}
        write_results(args.json, device, rows, cudnn_benchmark=args.cudnn_benchmark, **facts)


def a_pass(network: nn.Module, form: Form, clip: Tensor, args: argparse.Namespace) -> Pass:
    network = in_form(network, form, training=args.train)
    compiling = Compiling(form.compiled, args.compile_mode, args.backend)
    kind = {"compiled": bool(form.compiled), "whole": form.compiled == "all"}
    if form.channels_last:
        clip = clip.contiguous(memory_format=LAST)
    dtype = torch.bfloat16 if form.bf16 else None
    if not args.train:
        evaluate = compiling.for_evaluation(network)

        @torch.no_grad()
        def infer() -> None:
            with autocast(clip.device, dtype):
                evaluate(clip)

        return Pass(infer, network, **kind)
    logits_of = compiling.for_training(network, batch_size=len(clip))
    labels = torch.arange(len(clip), device=clip.device)
    optimizer = torch.optim.SGD(
        network.parameters(), lr=1e-4, momentum=0.9, nesterov=True, weight_decay=1e-4
    )

    def forward() -> Tensor:
        with autocast(clip.device, dtype):
            logits = logits_of(clip)
        return nn.functional.cross_entropy(logits.float(), labels)

    def train() -> None:
        loss = forward()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return Pass(train, network, forward, **kind)


def add_shares(rows: Mapping[Form, Row], known: Mapping[Form, Row]) -> None:
    """To forms with units: what they take on top of the plain network in the same form.

    Ratios to the published order, of which each group has its own, are compared.
    """
    for form, row in rows.items():
        plain = known.get(form.without_units())
        if plain is not None and form.network != "plain":
            row["units_share"] = row["ratio"] / plain["ratio"] - 1


def as_row(form: Form, row: Row, args: argparse.Namespace) -> Row:
    return {
        "pass": "training" if args.train else "inference",
        "network": form.network,
        "bf16": form.bf16,
        "channels_last": form.channels_last,
        "fused": form.fused,
        "compiled": form.compiled,
        **row,
    }


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=MODELS[0], choices=MODELS)
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--batch", type=positive, default=4)
    parser.add_argument("--frames", type=positive, default=8)
    parser.add_argument("--size", type=positive, default=224)
    parser.add_argument("--bf16", action="store_true", help="add forms in bf16 autocast")
    parser.add_argument(
        "--compile", nargs="*", choices=NETWORKS, help="these compiled, too; none named: all"
    )
    parser.add_argument(
        "--compile-mode",
        default="",
        choices=("", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"),
        help="torch.compile's, as MODEL.COMPILE_MODE",
    )
    parser.add_argument(
        "--no-cudnn-benchmark",
        dest="cudnn_benchmark",
        action="store_false",
        help="do not have cuDNN time its algorithms on a GPU first, as runs do (CUDNN_BENCHMARK)",
    )
    add_measuring_arguments(parser, rounds=5)
    args = parser.parse_args(argv)
    if not find_spec("pytorchvideo"):
        print("non-local blocks are left out: pytorchvideo is not installed")
    return args


if __name__ == "__main__":
    main()
