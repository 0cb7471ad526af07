"""The configs of Cityscapes and Pascal VOC: what each would run, and an epoch of it on eight pictures."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from run_files import flat, lines_of, one_error_line
from scene_miniature import write_cityscapes, write_voc

from glore_video.cli.main import main
from glore_video.config import load_config, with_values
from glore_video.runs.network import build_model
from glore_video.runs.step_memory import count_run
from glore_video.tasks import task_of

pytest.importorskip("timm", reason="timm is an extra")

FOLDER = Path(__file__).parents[2] / "configs"
NAMES = sorted(
    path.stem
    for pattern in ("cityscapes_*.yaml", "voc_*.yaml")
    for path in FOLDER.glob(pattern)
    if not path.stem.endswith("_base")
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Cityscapes' and VOC's folders, four pictures to train on and four to test on."""
    root = tmp_path_factory.mktemp("déjà vu")
    write_cityscapes(root / "cityscapes")
    write_voc(root / "voc", {"trainaug": 4, "val": 4})
    return root


def small(name, folders, out):
    return {
        "DATA.PATH_TO_DATA_DIR": folders / name.partition("_")[0],
        "OUTPUT_DIR": out,
        "NUM_GPUS": 0,
        "CPU_THREADS": 1,
        "DATA_LOADER.NUM_WORKERS": 0,
        "BN.NORM_TYPE": "batchnorm",
        "MODEL.PRETRAINED": False,
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_run_of_it_would_be_what_its_head_says(name, folders, tmp_path, capsys):
    assert main(["train", "--cfg", name, "--dry-run", *flat(small(name, folders, tmp_path))]) == 0
    out = capsys.readouterr().out
    head = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    gmacs, height, width = re.search(r"([\d.]+) GMACs a picture of (\d+) x (\d+),", head).groups()
    (found,) = re.findall(rf"training picture: +{height} x {width}, ([\d.]+) GMACs", out)
    assert float(found) == pytest.approx(float(gmacs), abs=0.06)
    (millions,) = re.findall(r"^parameters: +([\d.]+) M", out, flags=re.MULTILINE)
    assert f", {millions} M parameters" in head
    assert "an epoch:       4 pictures" in out


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_memory_is_what_its_head_says(name):
    config = with_values(load_config(name), {"MODEL.NUM_CLASSES": 21 if "voc" in name else 19})
    computed = count_run(config, build_model(config))
    (said,) = re.findall(r", ([\d.]+) in all;", computed.step)
    (head,) = re.findall(r"([\d.]+) GiB on each", (FOLDER / f"{name}.yaml").read_text())
    assert abs(float(said) - float(head)) <= 0.051


@pytest.mark.parametrize("name", NAMES)
def test_it_trains_with_synchronised_batch_norm_from_published_weights(name):
    config = load_config(name)
    assert (config.BN.NORM_TYPE, config.MODEL.PRETRAINED) == ("sync_batchnorm", True)
    assert config.TRAIN.BATCH_SIZE % config.NUM_GPUS == 0
    task_of(config).check_keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_an_epoch(name, folders, tmp_path):
    options = small(name, folders, tmp_path) | {
        "TRAIN.BATCH_SIZE": 2,
        "TRAIN.MIXED_PRECISION": False,  # bf16 is slow on CPUs that do not multiply in it
        "TRAIN.KEEP_CHECKPOINTS": 1,
        "DATA.TRAIN_CROP_SIZE": 64,
        "DATA.TRAIN_CROP_HEIGHT": 64,
        "SOLVER.MAX_EPOCH": 1,
        "TENSORBOARD.ENABLE": False,
    }
    assert main(["train", "--cfg", name, *flat(options)]) == 0
    (epoch,) = [
        row for row in lines_of(tmp_path / "metrics.jsonl") if row["split"] == "train_epoch"
    ]
    assert np.isfinite(epoch["loss"])
    summary = json.loads((tmp_path / "test" / "summary.json").read_text())
    assert (summary["pictures_scored"], summary["pictures_expected"]) == (4, 4)
    assert np.isfinite(summary["miou"])
    for path in (tmp_path / "checkpoints").iterdir():  # gigabytes over all of them
        path.unlink()


def test_another_list_to_train_on_is_named_where_it_is_missing(folders, tmp_path, capsys):
    options = small("cityscapes", folders, tmp_path) | {"TRAIN.SPLIT": "trainval"}
    assert main(["train", "--cfg", "cityscapes_fcn_r50", *flat(options)]) == 2
    assert "TRAIN.SPLIT = trainval: " in one_error_line(capsys)


def test_it_is_of_no_use_to_those_who_classify(tmp_path, capsys):
    words = flat({"TASK": "image_classification", "TRAIN.SPLIT": "trainval", "NUM_GPUS": 0})
    (tmp_path / "empty.yaml").write_text("")
    assert main(["train", "--cfg", str(tmp_path / "empty.yaml"), *words]) == 2
    assert "TRAIN.SPLIT = trainval: of no use with TASK = image_classification" in one_error_line(
        capsys
    )
