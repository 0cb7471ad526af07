"""What whole runs refuse, or say of their data, in one line."""

import json
import re
import shlex

import pytest
from run_files import flat, one_error_line

from glore_video.cli.main import main
from glore_video.config import load_config
from glore_video.models import TinyResNet3d, insert_glore, save_weights
from glore_video.runs.network import build_model
from glore_video.tasks import task_of


def test_unreadable_test_video_is_listed(cfg, options, videos, tmp_path, capsys):
    data = tmp_path / "data"
    data.mkdir()
    (data / "empty.mp4").touch()
    good = [f"{videos}/clips/{n}.mp4 {n % 2}\n" for n in range(3)]
    for split in ("train", "val", "test"):
        (data / f"{split}.csv").write_text("".join([good[0], "empty.mp4 1\n", *good[1:]]))
    options |= {"DATA.PATH_TO_DATA_DIR": data, "TRAIN.BATCH_SIZE": 2}
    assert main([*cfg, *flat(options)]) == 0
    summary = json.loads((options["OUTPUT_DIR"] / "test" / "summary.json").read_text())
    assert (summary["videos_expected"], summary["videos_scored"]) == (4, 3)
    (failed,) = summary["failed"]
    assert failed["path"] == str(data / "empty.mp4")
    assert failed["reason"]
    assert f"not scored, unreadable: {data / 'empty.mp4'}" in capsys.readouterr().err


def test_all_test_videos_unreadable(cfg, options, tmp_path, capsys):
    assert main([*cfg, *flat(options), "TEST.ENABLE", "False"]) == 0
    data = tmp_path / "data"
    data.mkdir()
    (data / "empty.mp4").touch()
    (data / "test.csv").write_text("empty.mp4 1\n")
    options |= {"DATA.PATH_TO_DATA_DIR": data, "TRAIN.ENABLE": False}
    assert main([*cfg, *flat(options)]) == 2
    assert "none of the 1 test videos could be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"DATA.NUM_FRAME": 8}, "unknown key DATA.NUM_FRAME; did you mean DATA.NUM_FRAMES?"),
        ({"DATA.PATH_TO_DATA_DIR": "/nowhere"}, "DATA.PATH_TO_DATA_DIR = /nowhere: no such folder"),
        ({"DATA.PATH_TO_DATA_DIR": ""}, "DATA.PATH_TO_DATA_DIR is empty"),
        ({"DATA.PATH_TO_DATA_DIR": "."}, "train.csv: no such list"),
        ({"MODEL.NUM_CLASSES": 3}, "class_names.txt: 2 names, but MODEL.NUM_CLASSES = 3"),
        ({"TRAIN.BATCH_SIZE": 9}, "TRAIN.BATCH_SIZE = 9 is more than the 8 training videos"),
        ({"NUM_GPUS": 64}, "NUM_GPUS = 64, but torch sees"),
        ({"GLORE.LOCATION": "[[[7]]]"}, "error: GLORE.LOCATION = [[[7]]]: no block 7 in stage 0"),
        ({"NONLOCAL.LOCATION": "[[], [[0, 0]]]"}, "error: NONLOCAL.LOCATION = [[], [[0, 0]]]: "),
        ({"TRAIN.ENABLE": False}, "no weights to test: no "),
        ({"TRAIN.ENABLE": False, "TEST.ENABLE": False}, "TRAIN.ENABLE = False and TEST.ENABLE ="),
        ({"OUTPUT_DIR": __file__}, f"OUTPUT_DIR = {__file__}: {__file__} is a file, not a folder"),
        ({"OUTPUT_DIR": f"{__file__}/x/y"}, f"x/y: {__file__} is a file, not a folder"),
        ({"OUTPUT_DIR": ""}, "OUTPUT_DIR is empty"),
        (
            {"TRAIN.CHECKPOINT_FILE_PATH": __file__},
            "test_run_errors.py is not a checkpoint that torch.load",
        ),
        ({"TRAIN.CHECKPOINT_FILE_PATH": "/no.pyth"}, "TRAIN.CHECKPOINT_FILE_PATH = /no.pyth"),
        ({"TEST.CHECKPOINT_FILE_PATH": "/n.pyth", "TRAIN.ENABLE": False}, "TEST.CHECKPOINT_FILE"),
        ({"TRAIN.BATCH_SIZE": 3, "CPU_PROCESSES": 2}, "can't be shared evenly by 2 processes"),
    ],
)
def test_user_errors_are_one_line(cfg, options, capsys, change, message):
    assert main([*cfg, *flat(options | change)]) == 2
    assert message in one_error_line(capsys)


@pytest.fixture
def other_weights(cfg, options, tmp_path):
    """Weights of the run's network for 5 classes, and with units that its config does not have."""
    words = flat(options | {"MODEL.NUM_CLASSES": 5, "GLORE.LOCATION": "[[[0]], [[0]]]"})
    path = tmp_path / "5 classes.pyth"
    save_weights(build_model(load_config(None, words)), path)
    return path


def test_weights_that_do_not_fit_are_refused_with_the_key_that_lets_them_in(
    cfg, options, other_weights, capsys
):
    options |= {"TRAIN.CHECKPOINT_FILE_PATH": other_weights, "SOLVER.MAX_EPOCH": 1}
    assert main([*cfg, *flat(options)]) == 2
    line = one_error_line(capsys)
    assert line.startswith("error: TRAIN.CHECKPOINT_FILE_PATH: ")
    assert line.endswith('; TRAIN.CHECKPOINT_ALLOW "[head, units]" accepts it')
    assert "allow=" not in line
    # As a shell gives it to the program.
    (key, value) = shlex.split(line[line.index("TRAIN.CHECKPOINT_ALLOW") :])[:2]
    assert main([*cfg, *flat(options), key, value]) == 0


def test_weights_to_test_that_do_not_fit(cfg, options, other_weights, capsys):
    options |= {"TRAIN.ENABLE": False, "TEST.CHECKPOINT_FILE_PATH": other_weights}
    assert main([*cfg, *flat(options)]) == 2
    line = one_error_line(capsys)
    assert line.startswith("error: TEST.CHECKPOINT_FILE_PATH: ")
    assert line.endswith("; MODEL.NUM_CLASSES 5 in the configuration fits it")


def test_units_trained_otherwise_name_their_key(cfg, options, tmp_path, capsys):
    path = tmp_path / "w.pyth"
    words = flat(options | {"GLORE.NORMALIZE": False})
    save_weights(build_model(load_config(None, words)), path)
    options |= {"TRAIN.CHECKPOINT_FILE_PATH": path}
    assert main([*cfg, *flat(options)]) == 2
    line = one_error_line(capsys)
    assert line.endswith("; GLORE.NORMALIZE False in the configuration fits them")
    assert "normalize=" not in line


def test_a_text_file_is_no_checkpoint_and_nobody_is_told_to_run_it(cfg, options, tmp_path, capsys):
    path = tmp_path / "notes.txt"
    path.write_text("some notes\n")
    for enable in (True, False):
        key = f"{'TRAIN' if enable else 'TEST'}.CHECKPOINT_FILE_PATH"
        assert main([*cfg, *flat(options | {"TRAIN.ENABLE": enable, key: path})]) == 2
        line = one_error_line(capsys)
        assert line.startswith(f"error: {key}: {path} is not a checkpoint")
        assert line.endswith("it is damaged, or was not written by torch.save")


def test_a_warm_up_that_does_not_end_is_said(cfg, options, capsys):
    options |= {"SOLVER.WARMUP_EPOCHS": 2, "TEST.ENABLE": False}
    assert main([*cfg, *flat(options)]) == 0
    assert "SOLVER.WARMUP_EPOCHS = 2 is no shorter than the run, SOLVER.MAX_EPOCH = 2" in (
        capsys.readouterr().err
    )


def test_videos_listed_twice_are_said(cfg, options, videos, tmp_path, capsys):
    lines = (videos / "test.csv").read_text().splitlines(keepends=True)
    (tmp_path / "data").mkdir()
    for split in ("train", "val", "test"):
        again = lines[2:5] if split == "test" else []
        (tmp_path / "data" / f"{split}.csv").write_text("".join(lines + again))
    options |= {"DATA.PATH_TO_DATA_DIR": tmp_path / "data", "DATA.PATH_PREFIX": videos}
    assert main([*cfg, *flat(options | {"SOLVER.MAX_EPOCH": 1})]) == 0
    (line,) = (line for line in capsys.readouterr().err.splitlines() if " again, " in line)
    assert f"test.csv lists 3 videos again, {videos / 'clips' / '2.mp4'} among them" in line


def test_other_synthetic_videos_are_named_by_their_keys(cfg, options, tmp_path, capsys):
    options |= {
        "DATA.PATH_TO_DATA_DIR": tmp_path / "made",
        "DATA.RANDOM_FLIP": False,
        "SYNTHETIC.LABELS": "same",
        "SYNTHETIC.NUM_TRAIN": 4,
        "SYNTHETIC.NUM_VAL": 1,
        "SYNTHETIC.NUM_FRAMES": 2,
        "SYNTHETIC.SIZE": 48,
    }
    task_of(load_config(None, flat(options))).render()
    changes = {"SYNTHETIC.SIZE": 50, "SYNTHETIC.LABELS": "pair", "MODEL.NUM_CLASSES": 10}
    assert main([*cfg, *flat(options | changes)]) == 2
    line = one_error_line(capsys)
    assert line.startswith(f"error: DATA.PATH_TO_DATA_DIR: {tmp_path / 'made'} holds other")
    assert "SYNTHETIC.LABELS = 'pair', there 'same'; SYNTHETIC.SIZE = 50, there 48;" in line


def test_own_videos_are_never_to_be_deleted(options, videos, capsys):
    """The configs of the demonstration render; a newcomer names the folder of their own videos."""
    options |= {"DATA.RANDOM_FLIP": False, "OUTPUT_DIR": options["OUTPUT_DIR"] / "o"}
    assert main(["--cfg", "configs/quickstart.yaml", *flat(options)]) == 2
    line = one_error_line(capsys)
    assert "delete" not in line
    assert f"{videos} is no rendered dataset; there is class_names.txt, clips/, test.csv" in line
    assert "SYNTHETIC.LABELS = pair renders videos into a folder of their own" in line
    assert "SYNTHETIC.LABELS none" in line
    assert "--cfg k400_glore_r50_finetune" in line
    assert (videos / "clips" / "0.mp4").is_file()


def test_label_out_of_range(cfg, options, videos, tmp_path, capsys):
    for split in ("train", "val", "test"):
        (tmp_path / f"{split}.csv").write_text(f"{videos}/clips/0.mp4 {2 * (split == 'train')}\n")
    options |= {"DATA.PATH_TO_DATA_DIR": tmp_path}
    assert main([*cfg, *flat(options)]) == 2
    assert "train.csv:1: label 2 is not in 0 .. 1" in one_error_line(capsys)


def test_checkpoint_of_another_network(cfg, options, capsys):
    options |= {"SOLVER.MAX_EPOCH": 1}
    assert main([*cfg, *flat(options)]) == 0
    capsys.readouterr()
    options |= {"GLORE.LOCATION": "[]", "SOLVER.MAX_EPOCH": 2, "TRAIN.RESUME_CHANGED": True}
    assert main([*cfg, *flat(options)]) == 2
    assert "is of another network" in one_error_line(capsys)


def test_divergence_stops_the_run(cfg, options, capsys):
    options |= {"SOLVER.BASE_LR": 1e30, "SOLVER.MAX_EPOCH": 9}
    assert main([*cfg, *flat(options)]) == 2
    line = one_error_line(capsys)
    assert re.search(r"step [12] of 2 in epoch \d: the output of .* values are not finite", line), (
        line
    )
    assert "Lower SOLVER.BASE_LR" in line


@pytest.mark.parametrize("trains", [True, False], ids=["training", "test"])
@pytest.mark.filterwarnings("ignore:units that did not run")
def test_units_that_the_network_does_not_run_are_refused(
    cfg, options, tmp_path, capsys, monkeypatch, trains
):
    def past_the_block(self, x):
        first, second = self.stage1
        x = self.stage2(second(first.forward(self.stem(x))))
        return self.classifier(x.mean((2, 3, 4)))

    model = insert_glore(TinyResNet3d(2), after=["stage1.0"])
    save_weights(model, tmp_path / "weights.pyth")
    monkeypatch.setattr(TinyResNet3d, "forward", past_the_block)
    options |= {"TRAIN.ENABLE": trains, "TEST.CHECKPOINT_FILE_PATH": tmp_path / "weights.pyth"}
    assert main([*cfg, *flat(options)]) == 2
    assert "units that did not run when the network ran: stage1.0.glore. " in one_error_line(capsys)


def test_missing_cfg(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["train"])
    assert stopped.value.code == 2
    assert "--cfg FILE is needed" in capsys.readouterr().err
