"""The configs of pictures: what each would run, and an epoch of it on 40 small pictures."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from run_files import flat

from glore_video.cli.main import main
from glore_video.config import load_config
from glore_video.config.loading import flatten

timm = pytest.importorskip("timm", reason="timm is an extra")

FOLDER = Path(__file__).parents[2] / "configs"
NAMES = sorted(
    path.stem
    for path in (*FOLDER.glob("in1k_*.yaml"), *FOLDER.glob("elpv_*.yaml"))
    if not path.stem.endswith("_base")
)


# Runs that differ from another one in their network alone, which is larger or has other units.
ALIKE = {
    "in1k_dpn131_glore": "in1k_dpn98_glore",
    "in1k_resnet50": "in1k_resnet50_glore_2_3",
    "in1k_resnet50_glore_0_1": "in1k_resnet50_glore_2_3",
    "in1k_resnet50_glore_0_3": "in1k_resnet50_glore_2_3",
    "in1k_resnet101_glore_2_3": "in1k_resnet50_glore_2_3",
    "in1k_resnet200": "in1k_resnet50_glore_2_3",
    "in1k_resnet200_glore_0_3": "in1k_resnet50_glore_2_3",
    "in1k_resnet200_glore_2_3": "in1k_resnet50_glore_2_3",
    "in1k_seresnet50": "in1k_seresnet50_glore_0_3",
}


def blocks_give_one_map(name):
    """Blocks of timm's DPN returned a pair once, after which no unit can stand."""
    return "dpn" not in name or not hasattr(timm.models.dpn, "CatBnAct")


CASES = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            not blocks_give_one_map(name), reason="this timm's DPN returns a pair of maps"
        ),
    )
    for name in NAMES
]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """train/ of 32 and val/ of 8 rendered pictures, 4 classes: stripes of four directions."""
    root = tmp_path_factory.mktemp("pictures é")
    rows, columns = np.mgrid[0:64, 0:64]
    directions = [rows, columns, rows + columns, rows - columns]
    for split, count in (("train", 8), ("val", 2)):
        for label, along in enumerate(directions):
            folder = root / split / f"class{label}"
            folder.mkdir(parents=True)
            for number in range(count):
                wave = 128 + 100 * np.sin(along / 3 + number)
                Image.fromarray(wave.astype(np.uint8)).save(folder / f"{number}.png")
    return root


def small(pictures, out):
    return {
        "DATA.PATH_TO_DATA_DIR": pictures,
        "OUTPUT_DIR": out,
        "NUM_GPUS": 0,
        "CPU_THREADS": 1,
        "DATA_LOADER.NUM_WORKERS": 0,
        "TRAIN.CHECKPOINT_FILE_PATH": "",
        "TRAIN.CHECKPOINT_ALLOW": "[]",
        "MODEL.PRETRAINED": False,
        "MODEL.NUM_CLASSES": 0,
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_dry_run(name, pictures, tmp_path, capsys):
    assert main(["train", "--cfg", name, "--dry-run", *flat(small(pictures, tmp_path))]) == 0
    out = capsys.readouterr().out
    config = load_config(name)
    # What the head of the file says; it has the classes of ImageNet or of its own data.
    said = re.search(r"([\d.]+) GMACs a picture", (FOLDER / f"{name}.yaml").read_text())
    side = config.DATA.TRAIN_CROP_SIZE
    (gmacs,) = re.findall(rf"training picture: +{side} x {side}, ([\d.]+) GMACs", out)
    assert float(gmacs) > 0.1
    if said:
        assert float(gmacs) == pytest.approx(float(said[1]), abs=0.011)
    units = bool(config.GLORE.UNITS or config.GLORE.AFTER or config.NONLOCAL.UNITS)
    assert units == ("glore" in name or "nonlocal" in name)


@pytest.mark.parametrize(("name", "other"), ALIKE.items())
def test_what_differs_in_its_network_alone(name, other):
    """So that an epoch of the other one stands for it."""
    first, second = (dict(flatten(load_config(each))) for each in (name, other))
    differ = {key for key, value in first.items() if second[key] != value}
    assert differ <= {"MODEL.NAME", "GLORE.UNITS", "OUTPUT_DIR"}
    assert differ > {"OUTPUT_DIR"}


@pytest.mark.slow
@pytest.mark.parametrize("name", [case for case in CASES if case.values[0] not in ALIKE])
def test_an_epoch(name, pictures, tmp_path):
    options = small(pictures, tmp_path) | {
        "TRAIN.BATCH_SIZE": 16,
        "TRAIN.MIXED_PRECISION": False,  # bf16 is slow on CPUs that do not multiply in it
        "DATA.TRAIN_CROP_SIZE": 64,
        "DATA.TEST_CROP_SIZE": 64,
        "DATA.VAL_SHORT_SIDE": 64,
        "DATA.TEST_SHORT_SIDE": 64,
        "SOLVER.MAX_EPOCH": 1,
        "SOLVER.WARMUP_EPOCHS": 0,
        "SOLVER.BASE_LR": 0.001,
    }
    assert main(["train", "--cfg", name, *flat(options)]) == 0
    shutil.rmtree(tmp_path / "checkpoints")  # gigabytes over all of them, which pytest would keep
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    epochs = [line for line in map(json.loads, lines) if line["split"] == "train_epoch"]
    assert len(epochs) == 1
    assert np.isfinite(epochs[0]["loss"])
    summary = json.loads((tmp_path / "test" / "summary.json").read_text())
    assert (summary["pictures_scored"], summary["pictures_expected"]) == (8, 8)


def test_the_table_in_the_docs_names_every_config():
    page = (FOLDER.parent / "docs" / "imagenet.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(in1k_\w+)` \|", page, flags=re.MULTILINE)
    assert sorted(rows) == [name for name in NAMES if name.startswith("in1k_")]
