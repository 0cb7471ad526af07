"""What torch.compile costs before a run gets going: nothing compiled, the units alone, the whole network.

    python benchmarks/compile_time.py                          # glore_r50_8x8, clips of 8 x 64 x 64
    python benchmarks/compile_time.py --model glore_resnet50 --shape 3 64 64

Each row is a fresh process that builds the network, makes three training steps and an evaluation, as a
run does with MODEL.COMPILE; then another, which finds on disk what the first compiled. Seconds are
CPU time, of the compilers too, without that of importing and building; with one thread and one compiler
at a time.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence

from glore_video.cli.arguments import Parser, positive

FORMS = ("", "units", "all")


def main(argv: Sequence[str] | None = None) -> None:
    args = parse(argv)
    if args.one is not None:
        print(json.dumps(seconds_of(args)))
        return
    print(f"{args.model}, {args.batch} x {args.shape}, {args.backend}")
    print(f"{'MODEL.COMPILE':16}{'first start, s':>16}{'second start, s':>17}{'ratio':>8}")
    for form in FORMS:
        first, second = (float(n) for n in starts(form, argv))
        print(f"{form or 'off':16}{first:16.1f}{second:17.1f}{second / first:8.2f}", flush=True)


def starts(form: str, argv: Sequence[str] | None) -> list[str]:
    """What two processes print, one after the other, that share a folder of compiled kernels."""
    words = sys.argv[1:] if argv is None else list(argv)
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {
            "TORCHINDUCTOR_CACHE_DIR": folder,
            "TORCHINDUCTOR_COMPILE_THREADS": "1",
            "OMP_NUM_THREADS": "1",
        }
        return [
            subprocess.run(
                [sys.executable, __file__, *words, "--one", form],
                env=environment,
                check=True,
                stdout=subprocess.PIPE,
                text=True,
            ).stdout
            for _ in range(2)
        ]


def seconds_of(args: argparse.Namespace) -> float:
    """CPU seconds until three steps and an evaluation are made."""
    import torch

    from glore_video.engine.compiling import Compiling
    from glore_video.models import create_model

    torch.manual_seed(0)
    network = create_model(args.model, num_classes=10)
    inputs = torch.randn(args.batch, *args.shape)
    before = cpu_seconds()
    compiling = Compiling(args.one, backend=args.backend)
    step = compiling.for_training(network.train(), batch_size=args.batch)
    for _ in range(3):
        step(inputs).sum().backward()
    evaluation = compiling.for_evaluation(network.eval())
    with torch.no_grad():
        evaluation(inputs)
    return cpu_seconds() - before


def cpu_seconds() -> float:
    """Of this process and of those it has waited for."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="glore_r50_8x8", help="as create_model names it")
    parser.add_argument("--batch", type=positive, default=2)
    parser.add_argument(
        "--shape", nargs="+", type=positive, default=[3, 8, 64, 64], help="of an input"
    )
    parser.add_argument("--backend", default="inductor", help="that compiles")
    parser.add_argument("--one", choices=FORMS, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
