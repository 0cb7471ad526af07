"""Whole runs from the command line's side: what they leave, and the ways to train."""

import json

import numpy as np
import pytest
import torch
from run_files import flat, lines_of, weights_of

from glore_video.cli.main import main
from glore_video.config import load_config
from glore_video.engine.checkpoint import checkpoint_path, read_checkpoint


def test_trains_and_tests(cfg, options, videos):
    assert main([*cfg, "--opts", *flat(options)]) == 0
    out = options["OUTPUT_DIR"]
    assert sorted(path.name for path in out.iterdir()) == [
        "checkpoints",
        "config.yaml",
        "log.txt",
        "metrics.jsonl",
        "test",
    ]
    assert load_config(out / "config.yaml").TRAIN.BATCH_SIZE == 4
    metrics = lines_of(out / "metrics.jsonl")
    assert [line["split"] for line in metrics] == (
        ["train_iter"] * 2
        + ["train_epoch"]
        + ["train_iter"] * 2
        + ["train_epoch", "val_epoch", "test"]
    )
    assert [line["step"] for line in metrics if line["split"] == "train_iter"] == [1, 2, 3, 4]
    assert {"data_seconds", "forward_seconds", "gradient_norm", "lr", "loss"} <= metrics[0].keys()
    summary = json.loads((out / "test" / "summary.json").read_text())
    assert (summary["videos_expected"], summary["videos_scored"]) == (8, 8)
    assert (summary["num_views"], summary["failed"]) == (6, [])
    state = read_checkpoint(checkpoint_path(out, 2))
    assert state["class_names"] == ["dark", "bright"]
    assert state["config"]["MODEL"]["ARCH"] == "tiny"
    assert {"optimizer_state", "scaler_state", "sampler_state", "rng_states"} <= state.keys()


def test_tensorboard_files(cfg, options):
    options |= {"TENSORBOARD.ENABLE": True, "TEST.ENABLE": False, "SOLVER.MAX_EPOCH": 1}
    assert main([*cfg, *flat(options)]) == 0
    assert list((options["OUTPUT_DIR"] / "tensorboard").glob("events.*"))
    assert not (options["OUTPUT_DIR"] / "test").exists()


def test_workers_do_not_change_the_weights(cfg, options, tmp_path):
    results = []
    for workers in (0, 2):
        options |= {"DATA_LOADER.NUM_WORKERS": workers, "OUTPUT_DIR": tmp_path / str(workers)}
        options |= {"SOLVER.MAX_EPOCH": 1, "TEST.ENABLE": False}
        assert main([*cfg, *flat(options)]) == 0
        results.append(weights_of(options["OUTPUT_DIR"], 1))
    assert all(torch.equal(results[0][key], results[1][key]) for key in results[0])


def test_fine_tuning_from_another_run(cfg, options, tmp_path, capsys):
    options |= {"GLORE.LOCATION": "[]", "SOLVER.MAX_EPOCH": 1, "TEST.ENABLE": False}
    assert main([*cfg, *flat(options)]) == 0
    first = options["OUTPUT_DIR"]
    options |= {
        "GLORE.LOCATION": "[[[0]]]",
        "TRAIN.CHECKPOINT_FILE_PATH": first,
        "OUTPUT_DIR": tmp_path / "second",
        "SOLVER.BASE_LR": 0,
        "SOLVER.WARMUP_START_LR": 0,
    }
    assert main([*cfg, *flat(options)]) == 2
    assert "glore" in capsys.readouterr().err
    options |= {"TRAIN.CHECKPOINT_ALLOW": "[units]"}
    assert main([*cfg, *flat(options)]) == 0
    old, new = weights_of(first, 1), weights_of(tmp_path / "second", 1)
    assert torch.equal(old["classifier.weight"], new["classifier.weight"])
    assert "stage1.0.glore.conv_proj.weight" in new


@pytest.mark.parametrize("classes", [5, 6])
def test_top5_is_said_of_more_than_five_classes(cfg, options, videos, tmp_path, capsys, classes):
    for split in ("train", "val", "test"):
        (tmp_path / f"{split}.csv").write_text((videos / "test.csv").read_text())
    options |= {"DATA.PATH_TO_DATA_DIR": tmp_path, "DATA.PATH_PREFIX": videos}
    options |= {"MODEL.NUM_CLASSES": classes, "SOLVER.MAX_EPOCH": 1}
    assert main([*cfg, *flat(options)]) == 0
    (line,) = (line for line in capsys.readouterr().err.splitlines() if " test: video " in line)
    assert (", top-5 " in line) == (classes == 6)
    assert ", single clip top-1 " in line
    folder = options["OUTPUT_DIR"] / "test"
    assert "video_top5" in json.loads((folder / "summary.json").read_text())
    assert ("top-5" in (folder / "report.html").read_text()) == (classes == 6)


def test_tabs_between_paths_and_labels(cfg, options, videos, tmp_path):
    text = (videos / "test.csv").read_text().replace(" ", "\t")
    for split in ("train", "val", "test"):
        (tmp_path / f"{split}.csv").write_text(text)
    options |= {"DATA.PATH_TO_DATA_DIR": tmp_path, "DATA.PATH_PREFIX": videos}
    assert (
        main([*cfg, *flat(options), "DATA.PATH_LABEL_SEPARATOR", r"\t", "SOLVER.MAX_EPOCH", "1"])
        == 0
    )


@pytest.mark.parametrize("word", ["none", "", "''"], ids=["none", "empty", "quotes"])
def test_labels_of_the_rendering_can_be_taken_off_in_a_shell(word):
    config = load_config("configs/quickstart.yaml", ["SYNTHETIC.LABELS", word])
    assert config.SYNTHETIC.LABELS == "none"


def test_help_config(capsys):
    assert main(["--help-config"]) == 0
    assert "DATA.NUM_FRAMES" in capsys.readouterr().out


def test_dry_run(cfg, options, capsys):
    assert main([*cfg, "--dry-run", *flat(options)]) == 0
    out = capsys.readouterr().out
    assert "8 videos, 2 steps of 4 clips" in out
    assert "views a video:  6" in out
    assert "clip span:      0.10 s of a 30 fps video" in out
    assert not options["OUTPUT_DIR"].exists()


def test_channels_last_scores_the_same(cfg, options, tmp_path):
    assert main([*cfg, *flat(options)]) == 0
    first = options["OUTPUT_DIR"]
    options |= {"TRAIN.ENABLE": False, "TEST.CHECKPOINT_FILE_PATH": first}
    options |= {"MODEL.CHANNELS_LAST": True, "OUTPUT_DIR": tmp_path / "second"}
    assert main([*cfg, *flat(options)]) == 0
    logits = [
        np.load(folder / "test" / "scores.npz")["logits"] for folder in (first, tmp_path / "second")
    ]
    np.testing.assert_allclose(*logits, rtol=1e-3, atol=1e-4)


def test_decord_reads_too(cfg, options):
    pytest.importorskip("decord")
    options |= {"DATA.DECODING_BACKEND": "decord", "SOLVER.MAX_EPOCH": 1}
    assert main([*cfg, *flat(options)]) == 0


@pytest.mark.parametrize("dtype", ["bf16", "fp16"])
def test_mixed_precision(cfg, options, dtype):
    options |= {"TRAIN.MIXED_PRECISION": True, "TRAIN.AMP_DTYPE": dtype, "SOLVER.MAX_EPOCH": 1}
    options |= {"DATA.NUM_FRAMES": 4}
    assert main([*cfg, *flat(options)]) == 0
    summary = json.loads((options["OUTPUT_DIR"] / "test" / "summary.json").read_text())
    assert summary["videos_scored"] == 8


def test_bf16_on_the_cpu_with_too_few_frames_is_refused(cfg, options, capsys):
    options |= {"TRAIN.MIXED_PRECISION": True, "DATA.NUM_FRAMES": 2}
    assert main([*cfg, *flat(options)]) == 2
    assert "TRAIN.MIXED_PRECISION in bf16 on the CPU: stem.0 sees 2" in capsys.readouterr().err


def test_frozen_norms_keep_what_they_start_from(cfg, options, tmp_path):
    options |= {"SOLVER.MAX_EPOCH": 1, "TEST.ENABLE": False}
    assert main([*cfg, *flat(options)]) == 0
    first = options["OUTPUT_DIR"]
    options |= {"TRAIN.CHECKPOINT_FILE_PATH": first, "OUTPUT_DIR": tmp_path / "second"}
    options |= {"MODEL.FROZEN_BN": True}
    assert main([*cfg, *flat(options)]) == 0
    old, new = weights_of(first, 1), weights_of(tmp_path / "second", 1)
    assert torch.equal(old["stem.1.running_mean"], new["stem.1.running_mean"])
    assert not torch.equal(old["stem.1.weight"], new["stem.1.weight"])


def test_the_moving_average_is_validated_and_tested(cfg, options, tmp_path):
    options |= {"TRAIN.EMA_DECAY": 0.999, "SOLVER.BASE_LR": 0.2, "TRAIN.EVAL_PERIOD": 1}
    assert main([*cfg, *flat(options)]) == 0
    first = options["OUTPUT_DIR"]
    line = next(x for x in lines_of(first / "metrics.jsonl") if x["split"] == "val_epoch")
    assert line["ema_loss"] != line["loss"]
    options |= {"TRAIN.ENABLE": False, "TEST.CHECKPOINT_FILE_PATH": first, "TEST.EMA": False}
    assert main([*cfg, *flat(options | {"OUTPUT_DIR": tmp_path / "second"})]) == 0
    logits = [
        np.load(folder / "test" / "scores.npz")["logits"] for folder in (first, tmp_path / "second")
    ]
    assert np.abs(logits[0] - logits[1]).max() > 1e-3
    state = read_checkpoint(checkpoint_path(first, 2))
    path = tmp_path / "average.pyth"
    torch.save({"model_state": state["ema_state"]}, path)
    options |= {"TEST.CHECKPOINT_FILE_PATH": path, "OUTPUT_DIR": tmp_path / "third"}
    assert main([*cfg, *flat(options)]) == 0
    again = np.load(tmp_path / "third" / "test" / "scores.npz")["logits"]
    np.testing.assert_array_equal(logits[0], again)


def test_precise_batch_norm_makes_the_statistics_those_of_the_clips(cfg, options):
    options |= {
        "BN.USE_PRECISE_STATS": True,
        "SOLVER.BASE_LR": 0,
        "SOLVER.WARMUP_START_LR": 0,
        "SOLVER.MAX_EPOCH": 1,
        "TRAIN.EMA_DECAY": 0.9,
        "TEST.ENABLE": False,
    }
    assert main([*cfg, *flat(options)]) == 0
    precise = read_checkpoint(checkpoint_path(options["OUTPUT_DIR"], 1))
    options |= {"BN.USE_PRECISE_STATS": False, "OUTPUT_DIR": options["OUTPUT_DIR"] / "b"}
    assert main([*cfg, *flat(options)]) == 0
    averaged = weights_of(options["OUTPUT_DIR"], 1)
    for norm in ("stem.1", "stage1.0.glore.blocker"):
        key = f"{norm}.running_var"
        # Two steps of momentum 0.1 leave 0.81 of the initial variance, which is 1.
        for state in ("model_state", "ema_state"):
            assert torch.allclose(averaged[key], 0.81 + 0.19 * precise[state][key], rtol=0.05)
            assert (precise[state][key] > 0).all()
