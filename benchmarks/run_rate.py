"""Clips a second of a whole training run on encoded videos, against the same network's bare steps.

    python benchmarks/loop_overhead.py --cfg configs/k400_glore_r50.yaml --json loop.json NUM_GPUS 1
    python benchmarks/run_rate.py --cfg configs/k400_glore_r50.yaml --loop loop.json NUM_GPUS 1

Encodes videos like those of Kinetics-400 (`reading_corpus.py`, H.264, a keyframe every 30 frames),
lists each many times under names of its own, and trains one epoch on them with tools/run_net.py. The
rate is the median over log lines but for the first third. Keys and values have to be those that loop.json
was made with; without --loop only the rate is told.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch
from reading_corpus import KINDS, encode, pictures
from results_file import write_results

from glore_video.cli.arguments import Parser, positive
from glore_video.config import load_config
from glore_video.processes.cpus import usable_cpus

ROOT = Path(__file__).parents[1]
LINES = 9  # of the log


def main(argv: Sequence[str] | None = None) -> None:
    args = parse(argv)
    config = load_config(args.cfg, args.pairs)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_lists(folder, videos=args.videos, samples=args.steps * config.TRAIN.BATCH_SIZE)
        period = max(1, args.steps // LINES)
        train(args.cfg, [*args.pairs, *keys(folder, period)])
        rates = rates_of(folder / "out" / "metrics.jsonl")
    rate = steady(rates)
    bare = bare_rate(args.loop)
    print(
        f"a run: {rate:.4g} clips/s" + (f", {rate / bare:.1%} of the bare step's" if bare else "")
    )
    device = torch.device("cuda" if config.NUM_GPUS else "cpu")
    write_results(
        args.json,
        device,
        ({"log_line": number, "clips_per_second": each} for number, each in enumerate(rates, 1)),
        clips_per_second=rate,
        of_bare_step=rate / bare if bare else None,
        batch=config.TRAIN.BATCH_SIZE,
        reading_processes=config.DATA_LOADER.NUM_WORKERS,
    )


def make_lists(folder: Path, *, videos: int, samples: int) -> None:
    """train.csv of that many samples, of so many videos, and val.csv of one."""
    with ProcessPoolExecutor(min(videos, usable_cpus())) as pool:
        encoded = list(pool.map(_encoded, [folder] * videos, range(videos)))
    lines = []
    for number in range(samples):
        path = folder / f"{number}.mp4"
        os.link(encoded[number % videos], path)
        lines.append(f"{path} {number % 2}\n")
    (folder / "train.csv").write_text("".join(lines), encoding="utf-8")
    (folder / "val.csv").write_text(lines[0], encoding="utf-8")


def _encoded(folder: Path, seed: int) -> Path:
    ending, *settings = KINDS["H.264, GOP 30"]
    (folder / str(seed)).mkdir()
    path = folder / str(seed) / f"video.{ending}"
    encode(path, *settings, pictures(seed))
    return path


def keys(folder: Path, period: int) -> list[str]:
    """What makes of a configuration one epoch of training and nothing else."""
    given = {
        "DATA.PATH_TO_DATA_DIR": folder,
        "OUTPUT_DIR": folder / "out",
        "LOG_PERIOD": period,
        "SOLVER.MAX_EPOCH": 1,
        "TRAIN.EVAL_PERIOD": 1000,
        "TEST.ENABLE": False,
        "BN.USE_PRECISE_STATS": False,
        "TENSORBOARD.ENABLE": False,
    }
    return [str(word) for pair in given.items() for word in pair]


def train(cfg: str, pairs: Sequence[str]) -> None:
    command = [sys.executable, str(ROOT / "tools" / "run_net.py"), "--cfg", cfg, *pairs]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, check=False)
    if done.returncode:
        raise SystemExit(f"error: tools/run_net.py ended with {done.returncode}")


def rates_of(metrics: Path) -> list[float]:
    """Clips a second of each log line of a run."""
    lines = map(json.loads, metrics.read_text(encoding="utf-8").splitlines())
    return [line["clips_per_second"] for line in lines if line["split"] == "train_iter"]


def steady(rates: Sequence[float]) -> float:
    """The median but for the first third, in which reading and caches begin."""
    return statistics.median(rates[len(rates) // 3 :])


def bare_rate(loop: Path | None) -> float | None:
    """Clips a second of the bare steps in a JSON file of `loop_overhead.py`."""
    if loop is None or not loop.is_file():
        return None
    rows = json.loads(loop.read_text(encoding="utf-8"))["rows"]
    return next(row["clips_per_second"] for row in rows if row["side"] == "bare")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cfg", default=str(ROOT / "configs" / "k400_glore_r50.yaml"))
    parser.add_argument("--videos", type=positive, default=16, help="that are encoded")
    parser.add_argument("--steps", type=positive, default=45, help="of the run")
    parser.add_argument("--loop", type=Path, metavar="FILE", help="JSON of loop_overhead.py")
    parser.add_argument("--json", metavar="FILE", help="write all numbers there")
    parser.add_argument("pairs", metavar="KEY VALUE", nargs="*")
    return parser.parse_intermixed_args(argv)


if __name__ == "__main__":
    main()
