"""From keys of the configuration to learning rates and groups."""

import pytest

from glore_video.config import load_config
from glore_video.runs.network import build_model
from glore_video.runs.solver import build_groups, build_schedule
from glore_video.runs.training import check_batch


@pytest.fixture
def config(tmp_path):
    (tmp_path / "empty.yaml").write_text("")

    def with_pairs(**pairs):
        words = [
            word for key, value in pairs.items() for word in (key.replace("__", "."), str(value))
        ]
        return load_config(tmp_path / "empty.yaml", words)

    return with_pairs


def test_rates_by_clips_and_warm_up_by_steps(config):
    schedule = build_schedule(
        config(
            TRAIN__BATCH_SIZE=10,
            SOLVER__LR_POLICY="steps_with_relative_lrs",
            SOLVER__STEPS="[0, 2000, 3000]",
            SOLVER__LRS="[1, 0.1, 0.01]",
            SOLVER__STEP_UNIT="clips",
            SOLVER__BASE_LR=0.5,
            SOLVER__WARMUP_STEPS=50,
            SOLVER__WARMUP_START_LR=0.05,
        ),
        steps_per_epoch=100,  # 1,000 clips
    )
    assert schedule.at(0) == pytest.approx(0.05)
    assert schedule.at(0.25) == pytest.approx(0.275)
    assert schedule.at(0.5) == schedule.at(1.99) == pytest.approx(0.5)
    assert schedule.at(2) == pytest.approx(0.05)
    assert schedule.at(3) == pytest.approx(0.005)


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        (
            {"SOLVER__WARMUP_EPOCHS": 34, "SOLVER__MAX_EPOCH": 17},
            "SOLVER.WARMUP_EPOCHS = 34 is no shorter than the run, SOLVER.MAX_EPOCH = 17: the "
            "learning rate goes straight from 0.02 to 0.06 and does not follow",
        ),
        (  # all of the run is warm-up: at its end the base rate, not the policy's end
            {"SOLVER__WARMUP_EPOCHS": 12, "SOLVER__MAX_EPOCH": 12},
            "SOLVER.WARMUP_EPOCHS = 12 is no shorter than the run, SOLVER.MAX_EPOCH = 12: the "
            "learning rate goes straight from 0.02 to 0.1 and does not follow",
        ),
        (  # cos(pi * 3 / 4): 0.1464 of 0.1
            {"SOLVER__WARMUP_STEPS": 90, "SOLVER__MAX_EPOCH": 12},
            "SOLVER.WARMUP_STEPS = 90: the warm-up lowers the learning rate, from "
            "SOLVER.WARMUP_START_LR to what SOLVER.LR_POLICY gives at its end (0.02 to 0.0146)",
        ),
        ({"SOLVER__WARMUP_EPOCHS": 3, "SOLVER__MAX_EPOCH": 12}, ""),
        ({"SOLVER__WARMUP_EPOCHS": 0, "SOLVER__MAX_EPOCH": 12}, ""),
    ],
    ids=["longer than the run", "as long as the run", "down to the policy's rate", "up", "none"],
)
def test_words_about_the_warm_up_are_those_of_the_schedule(config, caplog, pairs, words):
    pairs = {"SOLVER__BASE_LR": 0.1, "SOLVER__WARMUP_START_LR": 0.02} | pairs
    with caplog.at_level("WARNING"):
        build_schedule(config(**pairs), steps_per_epoch=10)
    assert [record.getMessage()[: len(words)] for record in caplog.records] == (
        [words] if words else []
    )


def test_rates_scale_with_the_batch_only_if_asked(config, caplog):
    pairs = {"TRAIN__BATCH_SIZE": 128, "SOLVER__BASE_LR": 0.1, "SOLVER__WARMUP_START_LR": 0.01}
    pairs |= {"SOLVER__WARMUP_EPOCHS": 1}
    schedule = build_schedule(config(**pairs), steps_per_epoch=10)
    assert (schedule.base_lr, schedule.at(0)) == (0.1, 0.01)
    schedule = build_schedule(config(**pairs, SOLVER__BASE_LR_BATCH=64), steps_per_epoch=10)
    assert (schedule.base_lr, schedule.at(0)) == (0.2, 0.02)


def test_the_papers_groups():
    config = load_config("configs/k400_glore_r50.yaml")
    groups = {
        (g["name"], g["weight_decay"], g["lr_factor"]): len(g["params"])
        for g in build_groups(config, build_model(config))
    }
    # 16 blocks with one 1x3x3 convolution each; biases of batch norms, classifier, 3 of each unit.
    norms = sum(n for (name, _, _), n in groups.items() if name == "batch norm")
    assert groups[("decay, 3x3", 1e-4, 0.5)] == 16
    assert groups[("biases", 0.0, 1.0)] == norms + 1 + 5 * 3
    assert ("batch norm", 1e-4, 1.0) in groups


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ({"TRAIN__ACCUMULATION_STEPS": 3}, "TRAIN.ACCUMULATION_STEPS = 3 does not divide the 4"),
        ({"BN__NORM_TYPE": "sub_batchnorm", "BN__NUM_SPLITS": 3}, "BN.NUM_SPLITS = 3 does not"),
        ({"BN__NORM_TYPE": "sync_batchnorm", "NUM_GPUS": 0}, "sync_batchnorm needs GPUs"),
    ],
)
def test_batches_that_can_not_be_divided(config, pairs, message):
    with pytest.raises(ValueError, match=message):
        check_batch(config(TRAIN__BATCH_SIZE=8, **pairs), world_size=2)


def test_the_head_alone_learns_faster(config):
    keys = {"TASK": "image_classification", "MODEL__ARCH": "tiny2d", "MODEL__NUM_CLASSES": 3}
    keys |= {"SOLVER__LR_FACTOR_HEAD": 10, "BN__WEIGHT_DECAY": 1e-4}
    found = config(**keys)
    groups = {group["name"]: group for group in build_groups(found, build_model(found))}
    assert {name: group["lr_factor"] for name, group in groups.items()} == {
        "decay": 1.0,
        "batch norm": 1.0,
        "decay, head": 10.0,
    }
    assert [tuple(each.shape) for each in groups["decay, head"]["params"]] == [(3, 64), (3,)]
