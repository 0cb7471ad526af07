"""Pictures that a run renders: SYNTHETIC."""

import re

import pytest
from run_files import flat, one_error_line

from glore_video.cli.train import main
from glore_video.config import load_config
from glore_video.config.shipped import shipped_config
from glore_video.errors import UsageError
from glore_video.runs.settling import settled
from glore_video.tasks import task_of

RENDERED = {
    "TASK": "image_classification",
    "DATA.RANDOM_FLIP": False,
    "SYNTHETIC.LABELS": "same",
    "SYNTHETIC.NUM_TRAIN": 4,
    "SYNTHETIC.NUM_VAL": 2,
    "SYNTHETIC.SIZE": 48,
    "MODEL.ARCH": "tiny2d",
    "MODEL.NUM_CLASSES": 2,
}


def config(changes):
    return settled(load_config(None, flat(RENDERED | changes)))


def test_pictures_are_rendered_and_listed(tmp_path):
    task = task_of(config({"DATA.PATH_TO_DATA_DIR": tmp_path / "made é"}))
    assert task.renders == "synthetic pictures"
    assert task.training_length() == 4
    task.render()
    assert task.names() == ("different", "same")
    samples = task.samples("val")
    assert list(samples.labels) == [0, 1]
    assert task.validation_set(samples)[1].inputs.shape[-2:] == (224, 224)
    assert (tmp_path / "made é" / "val" / "same" / "000001.png").is_file()


@pytest.mark.parametrize("key", ["DATA.RANDOM_FLIP", "TEST.FLIP"])
def test_mirrored_stripes_turn(key):
    with pytest.raises(UsageError, match=f"SYNTHETIC.LABELS = same needs {key} False: a mirrored"):
        config({key: True})


def test_frames_mean_nothing_to_pictures():
    with pytest.raises(UsageError, match=r"SYNTHETIC.NUM_FRAMES"):
        config({"SYNTHETIC.NUM_FRAMES": 3})


def test_what_else_is_in_the_folder_is_told_in_keys(tmp_path, capsys):
    pictures = RENDERED | {"DATA.PATH_TO_DATA_DIR": tmp_path / "made", "NUM_GPUS": 0}
    (tmp_path / "empty.yaml").write_text("")
    command = ["--cfg", str(tmp_path / "empty.yaml"), "OUTPUT_DIR", str(tmp_path / "out")]
    task_of(config(pictures)).render()
    assert main([*command, *flat(pictures | {"SYNTHETIC.SEED": 3})]) == 2
    line = one_error_line(capsys)
    assert line.startswith(f"error: DATA.PATH_TO_DATA_DIR: {tmp_path / 'made'} holds other")
    assert "synthetic pictures: SYNTHETIC.SEED = 3, there 0; name another folder" in line
    videos = pictures | {"TASK": "video_classification", "MODEL.ARCH": "tiny"}
    assert main([*command, *flat(videos | {"DATA.TRAIN_CROP_SIZE": 48})]) == 2
    line = one_error_line(capsys)
    assert "synthetic videos: dataset = 'relations', there 'relation pictures'; name" in line
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "cat.jpg").write_bytes(b"precious")
    assert main([*command, *flat(pictures | {"DATA.PATH_TO_DATA_DIR": tmp_path / "mine"})]) == 2
    line = one_error_line(capsys)
    assert "is no rendered dataset; there is cat.jpg in it" in line
    assert "To train on what is there: SYNTHETIC.LABELS none; --cfg in1k_resnet50_" in line
    assert shipped_config(re.search(r"--cfg (\S+) MODEL.NUM_CLASSES 0 is for", line)[1])
    assert (tmp_path / "mine" / "cat.jpg").read_bytes() == b"precious"
