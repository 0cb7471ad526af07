"""Which keys a resumed run may change."""

import pytest

from glore_video.config import Config, changes, flatten, load_config
from glore_video.config.resuming import BINDING_KEYS, FREE_KEYS


def test_every_key_is_of_one_class():
    assert not FREE_KEYS & BINDING_KEYS
    assert {key for key, _ in flatten(Config())} == FREE_KEYS | BINDING_KEYS


def plain(*pairs):
    return load_config(pairs=pairs).model_dump(mode="json")


def test_the_same_settings_are_no_change():
    pairs = ["GLORE.LOCATION", "[[[0]]]", "SOLVER.BETAS", "[0.8, 0.99]"]
    assert changes(plain(*pairs), load_config(pairs=pairs)) == []


@pytest.mark.parametrize(
    ("key", "value", "binding", "text"),
    [
        ("SOLVER.BASE_LR", "0.2", True, "SOLVER.BASE_LR = 0.2, was 0.1"),
        ("DATA.SAMPLING_RATE", "4", True, "DATA.SAMPLING_RATE = 4, was 8"),
        ("GLORE.LOCATION", "[[[0]]]", True, "GLORE.LOCATION = [[[0]]], was []"),
        ("AUG.ENABLE", "True", True, "AUG.ENABLE = True, was False"),
        ("TRAIN.FP32_PRECISION", "high", True, "TRAIN.FP32_PRECISION = 'high', was 'default'"),
        ("CUDNN_BENCHMARK", "False", False, "CUDNN_BENCHMARK = False, was True"),
        ("LOG_PERIOD", "3", False, "LOG_PERIOD = 3, was 10"),
        ("NUM_GPUS", "2", False, "NUM_GPUS = 2, was 1"),
        ("OUTPUT_DIR", "moved", False, "OUTPUT_DIR = 'moved', was 'outputs'"),
        ("TEST.NUM_ENSEMBLE_VIEWS", "1", False, "TEST.NUM_ENSEMBLE_VIEWS = 1, was 10"),
    ],
)
def test_what_changes_training_is_binding(key, value, binding, text):
    (change,) = changes(plain(), load_config(pairs=[key, value]))
    assert (change.key, change.binding, str(change)) == (key, binding, text)


STEPS = ["SOLVER.LR_POLICY", "steps_with_relative_lrs", "SOLVER.STEPS", "[0, 10]"]
STEPS += ["SOLVER.LRS", "[1, 0.1]"]


@pytest.mark.parametrize(
    ("policy", "binding"),
    [([], True), (["SOLVER.LR_POLICY", "poly"], True), (STEPS, False)],
    ids=["cosine", "poly", "steps"],
)
def test_more_epochs_change_a_cosine_and_no_steps(policy, binding):
    config = load_config(pairs=[*policy, "SOLVER.MAX_EPOCH", "400"])
    (change,) = changes(plain(*policy), config)
    assert change.binding == binding
    assert ("drawn over all of them" in str(change)) == binding


def test_a_checkpoint_of_another_version():
    """Without a key that is new, and with one that is gone."""
    before = plain()
    del before["TRAIN"]["RESUME_CHANGED"], before["MIXUP"]
    before["TRAIN"]["GONE"] = 3
    assert changes(before, Config()) == []
    (change,) = changes(before, load_config(pairs=["MIXUP.ENABLE", "True"]))
    assert str(change) == "MIXUP.ENABLE = True, was False"
