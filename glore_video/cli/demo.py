"""`glore-video demo`: three small runs, and a table of what the GloRe units change."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from glore_video.cli import train
from glore_video.cli.arguments import positive
from glore_video.cli.guarding import guarded
from glore_video.cli.programs import command_parser
from glore_video.errors import UsageError

if TYPE_CHECKING:
    from glore_video.config import Config


class Run(NamedTuple):
    """A shipped configuration, and what it trains in words."""

    name: str
    task: str
    network: str


NETWORKS = ("plain", "plain, fine-tuned", "+ 2 GloRe units, fine-tuned")
VIDEO_RUNS = (
    Run("quickstart", "which two directions (10 classes)", NETWORKS[0]),
    Run("quickstart_same_plain", "do both move the same way? (2 classes)", NETWORKS[1]),
    Run("quickstart_same_glore", "do both move the same way? (2 classes)", NETWORKS[2]),
)
PICTURE_RUNS = (
    Run("quickstart_image", "which two directions of stripes (10 classes)", NETWORKS[0]),
    Run("quickstart_image_same_plain", "are both striped the same way? (2 classes)", NETWORKS[1]),
    Run("quickstart_image_same_glore", "are both striped the same way? (2 classes)", NETWORKS[2]),
)
SCENE_NETWORKS = ("plain FCN", "+ a GloRe unit in the head", "+ a non-local block in the head")
SCENE_RUNS = (
    Run("quickstart_scene_plain", "which side is the road? (5 classes)", SCENE_NETWORKS[0]),
    Run("quickstart_scene_glore", "which side is the road? (5 classes)", SCENE_NETWORKS[1]),
    Run("quickstart_scene_nonlocal", "which side is the road? (5 classes)", SCENE_NETWORKS[2]),
)
TOLD_BY_THE_LAMP = ("road", "pavement")
FROM_ONE_START = """
The plain network and the one with units start from the same weights of run 1 and
differ in nothing but the units."""
FROM_ONE_SEED = """
All three start from the same weights and see the same pictures in the same order; they
differ in nothing but the head. A network that can't see the lamp has to guess."""
OWN_KEYS = ("OUTPUT_DIR", "TRAIN.CHECKPOINT_FILE_PATH")


def parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "demo",
        "The demonstration: three small runs, and a table of what the GloRe units change. About 3 "
        "minutes on two cores; writes data/ and outputs/ into the current folder.",
        examples=["", "RNG_SEED 1", "--pictures", "--pictures --seeds 3", "--scenes --seeds 3"],
    )
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--pictures", action="store_true", help="of pictures, not of videos")
    kinds.add_argument(
        "--scenes",
        action="store_true",
        help="of segmentation: street scenes, a class for each pixel",
    )
    parser.add_argument(
        "--seeds",
        type=positive,
        default=1,
        metavar="N",
        help="train everything with N seeds, RNG_SEED and those after it (1)",
    )
    parser.add_argument(
        "pairs", metavar="KEY VALUE", nargs="*", help="override single keys, in every run"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_intermixed_args(argv)
    runs = SCENE_RUNS if args.scenes else PICTURE_RUNS if args.pictures else VIDEO_RUNS
    return guarded(lambda: demo(runs, args.pairs, args.seeds))


def demo(runs: Sequence[Run], pairs: list[str], count: int) -> int:
    from glore_video.config import shipped_config

    seeds = pairs_of_seeds(runs, pairs, count)
    total = len(runs) * len(seeds)
    for turn, of_seed in enumerate(seeds):
        for number, (run, own) in enumerate(
            zip(runs, of_seed, strict=True), start=turn * len(runs) + 1
        ):
            what = f"{run.task}: {run.network} (configs/{run.name}.yaml)"
            print(f"\nrun {number} of {total}: {what}", flush=True)
            status = train.main(["--cfg", str(shipped_config(run.name)), *own])
            if status:
                return status
    rows = [
        row(run, [of_seed[place] for of_seed in seeds], several=count > 1)
        for place, run in enumerate(runs)
    ]
    print(f"\n{table(rows)}")
    print(FROM_ONE_SEED if runs == SCENE_RUNS else FROM_ONE_START)
    print("Each folder above holds log.txt, metrics.jsonl, the checkpoint, and test/ with the")
    print("scores of every sample. To look at:")
    for line in next_steps(runs, seeds):
        print(f"  {line}")
    return 0


def pairs_of_seeds(runs: Sequence[Run], pairs: list[str], count: int) -> list[list[list[str]]]:
    """For each seed and run, the pairs that go with its configuration."""
    # Imported late, so that help does not wait for torch.
    from glore_video.config import load_config, shipped_config

    for key in OWN_KEYS:
        if key in pairs[::2]:
            raise UsageError(
                f"{key}: each run of the demonstration has its own, under outputs/ of the current "
                "folder; another folder makes another demonstration"
            )
    configs = [load_config(shipped_config(run.name), pairs) for run in runs]
    if count == 1:
        return [[pairs for _ in runs]]
    found = []
    for seed in range(configs[0].RNG_SEED, configs[0].RNG_SEED + count):
        of_seed = []
        for config in configs:
            own = ["RNG_SEED", str(seed), "OUTPUT_DIR", f"{config.OUTPUT_DIR}_seed{seed}"]
            start = config.TRAIN.CHECKPOINT_FILE_PATH
            if start:
                own += ["TRAIN.CHECKPOINT_FILE_PATH", f"{start}_seed{seed}"]
            of_seed.append([*pairs, *own])
        found.append(of_seed)
    return found


class Measured(NamedTuple):
    """What one network has reached with each seed, in percent.

    Attributes:
        title: of the figure.
        chance: what guessing gives.
    """

    title: str
    chance: float
    of_seeds: Sequence[float]
    mean: float
    interval: tuple[float, float]


def measured(config: Config, folders: Sequence[str]) -> Measured:
    """Of runs of one configuration into these folders."""
    if config.TASK == "segmentation":
        from glore_video.tasks.segmentation.repetition import scene_repetition

        scenes = scene_repetition(folders, TOLD_BY_THE_LAMP)
        # A coin a picture: of two equal parts half of the pixels are right, of three halves.
        title = f"IoU of {' and '.join(TOLD_BY_THE_LAMP)}"
        return Measured(title, 100 / 3, scenes.ious, scenes.mean, scenes.interval)
    from glore_video.tasks.classification.repetition import repetition

    tested, chance = repetition(folders), 100 / config.MODEL.NUM_CLASSES
    title = f"{tested.kind.noun} top-1"
    return Measured(title, chance, tested.top1, tested.mean, tested.interval)


def row(run: Run, pairs: Sequence[list[str]], *, several: bool) -> dict[str, str]:
    """Of one run with each seed's pairs: column -> what stands there."""
    from glore_video.config import load_config, shipped_config

    configs = [load_config(shipped_config(run.name), own) for own in pairs]
    folders = [config.OUTPUT_DIR for config in configs]
    tested = measured(configs[0], folders)
    summary = json.loads((Path(folders[0]) / "test" / "summary.json").read_text(encoding="utf-8"))
    low, high = tested.interval
    cells = {
        "task": run.task,
        "network": run.network,
        tested.title: f"{tested.mean:.1f}% (chance {tested.chance:.0f}%)",
        "95% interval": f"{low:.1f} to {high:.1f}",
        "GMACs": f"{summary['gmacs']:.3f}",
        "files": folders[0],
    }
    if several:
        first, last = configs[0].RNG_SEED, configs[-1].RNG_SEED
        cells[f"seeds {first} to {last}"] = ", ".join(f"{each:.1f}" for each in tested.of_seeds)
        cells["files"] = f"{folders[0].removesuffix(str(first))}*"
    return cells


def table(rows: Sequence[dict[str, str]]) -> str:
    order = [name for name in rows[0] if name not in ("GMACs", "files")] + ["GMACs", "files"]
    lines = [order, *([cells[name] for name in order] for cells in rows)]
    widths = [max(len(cells[i]) for cells in lines) for i in range(len(order))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(cells, widths, strict=True)) + " |"
        for cells in lines
    )


def next_steps(runs: Sequence[Run], seeds: Sequence[Sequence[list[str]]]) -> list[str]:
    """The page of a run's test, and commands: where its network looks, and what units are worth."""
    from glore_video.config import load_config, shipped_config

    plain, units = (0, 1) if runs == SCENE_RUNS else (-2, -1)
    config = load_config(shipped_config(runs[units].name), seeds[0][units])
    command = [from_here(Path(sys.executable)), "-m", "glore_video"]
    sample = str(first_sample(Path(config.DATA.PATH_TO_DATA_DIR)))
    looks = [*command, "visualize", sample, "--weights", config.OUTPUT_DIR]
    steps = [str(Path(config.OUTPUT_DIR) / "test" / "report.html"), shlex.join(looks)]
    if len(seeds) > 1:
        folders = [
            [load_config(shipped_config(runs[place].name), own[place]).OUTPUT_DIR for own in seeds]
            for place in (plain, units)
        ]
        steps.insert(1, shlex.join([*command, "compare", "--a", *folders[0], "--b", *folders[1]]))
    return steps


def first_sample(data: Path) -> Path:
    """Of the validation samples of a rendered data set."""
    if (data / "val.csv").is_file():
        lines = (data / "val.csv").read_text(encoding="utf-8").splitlines()
        return data / lines[0].rpartition(" ")[0]
    return min((data / "images" / "val").iterdir())


def from_here(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
