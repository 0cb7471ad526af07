"""Before a run starts: all mistakes in one answer, and values that say "as many as there are"."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from encoded_videos import encode
from run_files import flat

import glore_video
from glore_video.cli.main import main
from glore_video.config import load_config
from glore_video.models.weights.published import weights_url
from glore_video.prediction.loading import load_predictor
from glore_video.runs import settling
from glore_video.runs.preparation import prepare

CONFIGS = Path(__file__).parents[2] / "configs"
FINETUNE = CONFIGS / "k400_glore_r50_finetune.yaml"


@pytest.fixture(scope="session")
def class_folders(tmp_path_factory):
    """Class folders train/ (6 videos) and val/ (3), no test/."""
    root = tmp_path_factory.mktemp("my videos")
    for split, count in (("train", 2), ("val", 1)):
        for name in ("ape", "cat", "eel"):
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                encode(root / split / name / f"{number}.mp4", numbers=range(12), size=(64, 48))
    return root


@pytest.fixture
def tiny(tmp_path, options, class_folders):
    """A configuration for the class folders, and its KEY VALUE pairs."""
    (tmp_path / "empty.yaml").write_text("")
    values = options | {"DATA.PATH_TO_DATA_DIR": class_folders, "SOLVER.MAX_EPOCH": 1}
    return ["--cfg", str(tmp_path / "empty.yaml")], values


def test_all_mistakes_are_said_at_once_with_values_that_do(tiny, capsys):
    cfg, values = tiny
    wrong = {"NUM_GPUS": 64, "MODEL.NUM_CLASSES": 400, "TRAIN.BATCH_SIZE": 64}
    assert main([*cfg, *flat(values | wrong)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[-6] == "error: 4 things are wrong with this run:"
    assert lines[-5].startswith("  NUM_GPUS = 64, but torch sees ")
    assert "train: 3 class folders, but MODEL.NUM_CLASSES = 400: ape, cat, eel" in lines[-4]
    assert lines[-3].endswith("; TEST.SPLIT val tests on what is validated")
    assert lines[-2] == "  TRAIN.BATCH_SIZE = 64 is more than the 6 training videos"
    pairs = shlex.split(lines[-1].removeprefix("  these would do: "))
    mended = dict(zip(pairs[::2], pairs[1::2], strict=True))
    assert mended == {
        "NUM_GPUS": str(torch.cuda.device_count()),
        "MODEL.NUM_CLASSES": "3",
        "TEST.SPLIT": "val",
        "TRAIN.BATCH_SIZE": "4",
        "SOLVER.BASE_LR_BATCH": "64",
    }
    assert main([*cfg, *flat(values | wrong | mended | {"NUM_GPUS": 0})]) == 0


def test_one_mistake_is_one_line(tiny, capsys):
    cfg, values = tiny
    values |= {"MODEL.NUM_CLASSES": 3, "TEST.SPLIT": "val", "TRAIN.BATCH_SIZE": 7}
    assert main([*cfg, *flat(values)]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "error: TRAIN.BATCH_SIZE = 7 is more than the 6 training videos; this would do: "
        "TRAIN.BATCH_SIZE 4 SOLVER.BASE_LR_BATCH 7"
    )


def test_without_a_test_split_the_error_names_the_key(tiny, class_folders, capsys):
    cfg, values = tiny
    values |= {"MODEL.NUM_CLASSES": 3}
    assert main([*cfg, *flat(values)]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(f"error: {class_folders / 'test.csv'}: no such list")
    assert line.endswith("TEST.SPLIT val tests on what is validated; this would do: TEST.SPLIT val")


@pytest.mark.parametrize(("split", "said"), [("val", 1), ("test", 0)])
def test_a_test_split_that_is_not_tested_is_said(tiny, videos, caplog, split, said):
    values = tiny[1] | {"DATA.PATH_TO_DATA_DIR": videos, "TEST.SPLIT": split}
    prepare(load_config(None, flat(values)))
    assert caplog.text.count("has a test split, which is not tested") == said


def test_the_wrong_folder_is_said_once(tiny, tmp_path, capsys):
    cfg, values = tiny
    assert main([*cfg, *flat(values | {"DATA.PATH_TO_DATA_DIR": tmp_path})]) == 2
    assert capsys.readouterr().err.count("no such list") == 1


def test_a_dry_run_names_the_key_of_too_large_a_batch(tiny, capsys):
    cfg, values = tiny
    values |= {"MODEL.NUM_CLASSES": 3, "TRAIN.BATCH_SIZE": 64}
    assert main([*cfg, *flat(values), "--dry-run"]) == 0
    assert "6 videos, 0 steps of 64 clips (too few videos for TRAIN.BATCH_SIZE = 64)" in (
        capsys.readouterr().out
    )


def test_nothing_is_rendered_for_a_run_that_will_be_refused(tiny, tmp_path, capsys):
    cfg, values = tiny
    rendered = {"SYNTHETIC.LABELS": "same", "DATA.RANDOM_FLIP": False, "NUM_GPUS": 64}
    rendered |= {"DATA.PATH_TO_DATA_DIR": tmp_path / "made"}
    assert main([*cfg, *flat(values | rendered)]) == 2
    assert "NUM_GPUS = 64" in capsys.readouterr().err
    assert not (tmp_path / "made").exists()


def settled(folder, **values):
    pairs = flat({key.replace("__", "."): value for key, value in values.items()})
    return settling.settled(load_config(None, ["DATA.PATH_TO_DATA_DIR", str(folder), *pairs]))


def test_classes_are_counted_in_folders_lists_and_names(class_folders, videos, tmp_path):
    assert settled(class_folders, MODEL__NUM_CLASSES=0).MODEL.NUM_CLASSES == 3
    assert settled(videos, MODEL__NUM_CLASSES=0).MODEL.NUM_CLASSES == 2  # class_names.txt
    assert settled(class_folders, MODEL__NUM_CLASSES=9).MODEL.NUM_CLASSES == 9
    lines = [f"{videos}/clips/{number}.mp4 {label}\n" for number, label in enumerate((0, 3, 1, 2))]
    (tmp_path / "train.csv").write_text("".join(lines))
    assert settled(tmp_path, MODEL__NUM_CLASSES=0).MODEL.NUM_CLASSES == 4
    (tmp_path / "names").write_text("a\nb\nc\nd\ne\n")
    named = settled(tmp_path, MODEL__NUM_CLASSES=0, DATA__CLASS_NAMES_PATH=tmp_path / "names")
    assert named.MODEL.NUM_CLASSES == 5


def test_classes_that_nothing_tells_are_asked_for(class_folders, videos, tmp_path):
    with pytest.raises(ValueError, match=r"NUM_CLASSES = 0 .* holds no class_names.txt"):
        settled(tmp_path, MODEL__NUM_CLASSES=0)
    with pytest.raises(ValueError, match="DATA.PATH_TO_DATA_DIR is empty"):
        settled("", MODEL__NUM_CLASSES=0)
    first, second = (f"{videos}/clips/{number}.mp4" for number in range(2))
    (tmp_path / "train.csv").write_text(f"{first} 0\n{second} 99999\n")
    with pytest.raises(ValueError, match=r"labels 0 to 99999 in .* are missing, 1 for one"):
        settled(tmp_path, MODEL__NUM_CLASSES=0)
    (tmp_path / "train.csv").write_text(f"{first} 0\n")
    with pytest.raises(ValueError, match=r"train.csv: 1 class, but two at least are needed"):
        settled(tmp_path, MODEL__NUM_CLASSES=0)
    with pytest.raises(ValueError, match="MODEL.NUM_CLASSES = 1: two classes at least"):
        load_config(None, ["MODEL.NUM_CLASSES", "1"])


@pytest.mark.parametrize("there", [0, 1, 4])
def test_one_gpu_if_there_is_one(class_folders, monkeypatch, there):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: there)
    assert settled(class_folders, NUM_GPUS=-1).NUM_GPUS == min(1, there)
    assert settled(class_folders, NUM_GPUS=3).NUM_GPUS == 3


def test_a_network_of_a_config_without_a_number_of_classes(tmp_path, tiny_checkpoint):
    base = CONFIGS / "quickstart_same_glore.yaml"
    (tmp_path / "c.yaml").write_text(f"_BASE_: {base}\nMODEL:\n  NUM_CLASSES: 0\n")
    ready = load_predictor(cfg=tmp_path / "c.yaml", weights=tiny_checkpoint)
    assert ready.class_names == ("hopping", "jumping <high>")


def test_fine_tuning_suits_one_machine():
    config = load_config(FINETUNE)
    official = load_config(CONFIGS / "k400_glore_r50_official_test.yaml")
    assert (config.NUM_GPUS, config.MODEL.NUM_CLASSES) == (-1, 0)
    assert config.TRAIN.CHECKPOINT_FILE_PATH == weights_url("glore_r50_8x8")
    assert config.TRAIN.CHECKPOINT_ALLOW == ("head",)
    assert 0 < config.TRAIN.KEEP_CHECKPOINTS <= 2
    assert config.TRAIN.BATCH_SIZE <= 16
    assert config.SOLVER.MAX_EPOCH <= 30
    assert config.SOLVER.BASE_LR / config.TRAIN.BATCH_SIZE <= 0.01 / 32
    # What goes with the weights.
    assert (config.GLORE, config.RESNET) == (official.GLORE, official.RESNET)
    for name in (
        *("NUM_FRAMES", "SAMPLING_RATE", "CLIP_SPACING", "TARGET_FPS", "SHORT_VIDEO"),
        *("TRAIN_CROP_SIZE", "TEST_SHORT_SIDE", "TEST_CROP_SIZE", "MEAN", "STD"),
    ):
        assert getattr(config.DATA, name) == getattr(official.DATA, name)


@pytest.mark.slow
def test_fine_tuning_on_class_folders(class_folders, tmp_path, capsys):
    """The two commands of the configuration's head, on small clips; weights as they are published."""
    state = glore_video.create_model("glore_r50_8x8").state_dict()
    state = {f"module.{key.replace('.glore.', '_extra.')}": value for key, value in state.items()}
    torch.save({"state_dict": state}, tmp_path / "published.pth")
    values = {
        "DATA.PATH_TO_DATA_DIR": class_folders,
        "TRAIN.CHECKPOINT_FILE_PATH": tmp_path / "published.pth",
        "DATA.TRAIN_JITTER_SCALES": "[48, 48]",
        "DATA.TRAIN_CROP_SIZE": 48,
        "DATA.VAL_SHORT_SIDE": 0,
        "DATA.TEST_SHORT_SIDE": 48,
        "DATA.TEST_CROP_SIZE": 48,
        "TRAIN.BATCH_SIZE": 2,
        "TEST.NUM_ENSEMBLE_VIEWS": 1,
        "SOLVER.MAX_EPOCH": 2,
        "DATA_LOADER.NUM_WORKERS": 0,
        "NUM_GPUS": 0,
        "OUTPUT_DIR": tmp_path / "out",
    }
    assert main(["--cfg", str(FINETUNE), *flat(values)]) == 0
    err = capsys.readouterr().err
    assert err.count("loaded  ") == 1
    assert "6 videos, 3 steps" in err
    assert "on 6 videos, 3 steps of 2 clips an epoch, 1 CPU process\n" in err
    assert re.search(r"TEST.CHECKPOINT_FILE_PATH \S*checkpoint_best.pyth tests the one", err)
    kept = sorted(path.name for path in (tmp_path / "out" / "checkpoints").iterdir())
    assert kept == ["checkpoint_best.pyth", "checkpoint_epoch_00002.pyth"]
    seen = glore_video.predict(class_folders / "val" / "cat" / "0.mp4", tmp_path / "out")
    assert seen.class_names == ("ape", "cat", "eel")
    assert np.isfinite(seen.probabilities).all()


@pytest.mark.slow
def test_several_processes_are_processes(tiny, capsys):
    cfg, values = tiny
    values |= {"MODEL.NUM_CLASSES": 3, "TEST.SPLIT": "val", "CPU_PROCESSES": 2}
    values |= {"TRAIN.BATCH_SIZE": 2, "TEST.NUM_ENSEMBLE_VIEWS": 1}
    assert main([*cfg, *flat(values)]) == 0
    log = (values["OUTPUT_DIR"] / "log.txt").read_text(encoding="utf-8")
    assert "3 steps of 2 clips an epoch, 2 CPU processes\n" in log
