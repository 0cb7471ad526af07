"""`glore-video demo`: three small runs, and a table of what the GloRe units change."""

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from glore_video.cli import train
from glore_video.cli.guarding import guarded
from glore_video.cli.programs import command_parser

RUNS = {
    "quickstart": ("which two directions (10 classes)", "plain"),
    "quickstart_same_plain": ("do both move the same way? (2 classes)", "plain, fine-tuned"),
    "quickstart_same_glore": (
        "do both move the same way? (2 classes)",
        "+ 2 GloRe units, fine-tuned",
    ),
}


def parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "demo",
        "The demonstration: three small runs, and a table of what the GloRe units change. About 3 "
        "minutes on two cores; writes data/ and outputs/ into the current folder.",
        examples=["", "RNG_SEED 1"],
    )
    parser.add_argument(
        "pairs", metavar="KEY VALUE", nargs="*", help="override single keys, in every run"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    return guarded(lambda: demo(args.pairs))


def row(name: str, pairs: list[str]) -> tuple[str, ...]:
    # Imported late, so that help does not wait for torch.
    from glore_video.config import load_config, shipped_config
    from glore_video.models import count_complexity
    from glore_video.runs.network import build_model

    config = load_config(shipped_config(name), pairs)
    size = config.DATA.TEST_CROP_SIZE
    cost = count_complexity(build_model(config), (3, config.DATA.NUM_FRAMES, size, size))
    summary = json.loads((Path(config.OUTPUT_DIR) / "test" / "summary.json").read_text())
    chance = 100 / config.MODEL.NUM_CLASSES
    task, network = RUNS[name]
    accuracy = f"{summary['video_top1']:.1f}% (chance {chance:.0f}%)"
    return task, network, accuracy, f"{cost.gmacs:.3f}", config.OUTPUT_DIR


def table(rows: list[tuple[str, ...]]) -> str:
    rows = [("task", "network", "video top-1", "GMACs", "files"), *rows]
    widths = [max(len(cells[i]) for cells in rows) for i in range(len(rows[0]))]
    rows.insert(1, tuple("-" * width for width in widths))
    return "\n".join(
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(cells, widths, strict=True)) + " |"
        for cells in rows
    )


def next_steps(name: str, pairs: list[str]) -> list[str]:
    """The page of a run's test, and a command that shows where its network looks in a video."""
    from glore_video.config import load_config, shipped_config

    config = load_config(shipped_config(name), pairs)
    data = Path(config.DATA.PATH_TO_DATA_DIR)
    video = (data / "val.csv").read_text(encoding="utf-8").splitlines()[0].rpartition(" ")[0]
    words = [from_here(Path(sys.executable)), "-m", "glore_video", "visualize", str(data / video)]
    words += ["--weights", config.OUTPUT_DIR]
    return [str(Path(config.OUTPUT_DIR) / "test" / "report.html"), shlex.join(words)]


def from_here(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def demo(pairs: list[str]) -> int:
    from glore_video.config import shipped_config

    for number, (name, (task, network)) in enumerate(RUNS.items(), start=1):
        print(f"\nrun {number} of {len(RUNS)}: {task}: {network} (configs/{name}.yaml)", flush=True)
        status = train.main(["--cfg", str(shipped_config(name)), *pairs])
        if status:
            return status
    print(f"\n{table([row(name, pairs) for name in RUNS])}")
    print("\nThe plain network and the one with units start from the same weights of run 1 and")
    print("differ in nothing but the units. Each folder above holds log.txt, metrics.jsonl, the")
    print("checkpoint, and test/ with the scores of every video. To look at:")
    for line in next_steps(list(RUNS)[-1], pairs):
        print(f"  {line}")
    return 0
