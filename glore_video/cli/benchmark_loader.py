"""`glore-video benchmark-loader`: how fast a configuration's training samples are read."""

import argparse
from collections.abc import Sequence
from itertools import islice

from glore_video.cli.arguments import CFG_HELP, list_of, not_negative, positive
from glore_video.cli.guarding import guarded
from glore_video.cli.programs import command_parser


def parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "benchmark-loader",
        "Clips or pictures a second of the training loader alone, for several numbers of workers, and what the "
        "time goes into. Where a run has several processes, this is one of them.",
        examples=["--cfg quickstart --workers 0,2,4"],
    )
    parser.add_argument("--cfg", required=True, metavar="FILE", help=CFG_HELP)
    parser.add_argument("pairs", metavar="KEY VALUE", nargs="*", help="override single keys")
    parser.add_argument(
        "--batches", type=positive, default=20, metavar="N", help="to time for each number (20)"
    )
    parser.add_argument(
        "--workers",
        type=list_of(not_negative),
        default=[0, 2, 4],
        metavar="N,N,...",
        help="numbers of workers to try (0,2,4)",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_intermixed_args(argv)
    return guarded(lambda: _benchmark(args))


def _benchmark(args: argparse.Namespace) -> int:
    # Imported late, so that help and errors of arguments and configuration do not wait for torch.
    from glore_video.config import load_config, with_values
    from glore_video.engine.run_log import setup_logging

    setup_logging(None, is_main=True)
    config = load_config(args.cfg, [*args.pairs, "DATA_LOADER.NUM_WORKERS", "0"])

    import torch

    from glore_video.data.loader_speed import advice_line, inputs_per_second, reading_shares
    from glore_video.engine.launch.processes import Process
    from glore_video.processes.cpus import usable_cpus
    from glore_video.runs.settling import settled
    from glore_video.tasks import task_of

    cores = usable_cpus()
    numbers = sorted({min(number, cores) for number in args.workers})
    config = settled(config)
    task = task_of(config)
    task.render()
    words, samples = task.words, task.samples("train")
    process = Process(0, config.NUM_GPUS or config.CPU_PROCESSES, torch.device("cpu"))
    data = task.training_data_of(samples, process)
    batches = data.order
    keys = [key for batch in islice(batches, 1 + 32 // len(next(iter(batches)))) for key in batch]
    shares = reading_shares(data.loader.dataset, keys[:32], task.reading, sample=words.sample)
    print(f"{len(samples)} {words.samples}, {cores} cores; {shares}")
    rate = f"{words.inputs}/s"
    print(f"{'workers':>7}  {rate:>8}")
    speeds: dict[int, float] = {}
    for number in numbers:
        with_workers = with_values(config, {"DATA_LOADER.NUM_WORKERS": number})
        task = task_of(with_workers)
        data = task.training_data_of(samples, process)
        speeds[number] = inputs_per_second(data.loader, data.order, num_batches=args.batches)
        print(f"{number:>7}  {speeds[number]:>{max(8, len(rate))}.1f}", flush=True)
    print(advice_line(speeds, shares, cores=cores, inputs=words.inputs))
    return 0
