"""Keys of augmentation and mixing: SlowFast's sections as they are, and what is refused."""

import logging
import re

import pytest

from glore_video.config import load_config

SLOWFAST = """
DATA:
  TRAIN_JITTER_SCALES_RELATIVE: [0.08, 1.0]
  TRAIN_JITTER_ASPECT_RELATIVE: [0.75, 1.3333]
AUG:
  NUM_SAMPLE: 2
  ENABLE: True
  COLOR_JITTER: None
  AA_TYPE: rand-m7-n4-mstd0.5-inc1
  INTERPOLATION: bicubic
  RE_PROB: 0.25
  RE_MODE: pixel
  RE_COUNT: 1
  RE_SPLIT: False
MIXUP:
  ENABLE: True
  ALPHA: 0.8
  CUTMIX_ALPHA: 1.0
  PROB: 1.0
  SWITCH_PROB: 0.5
  LABEL_SMOOTH_VALUE: 0.1
MODEL:
  MODEL_NAME: ResNet
  LOSS_FUNC: soft_cross_entropy
"""


def test_a_recipe_of_slowfasts_is_read_with_a_word_on_its_frames_alone(tmp_path, caplog):
    path = tmp_path / "recipe é.yaml"
    path.write_text(SLOWFAST, encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        config = load_config(path)
    (record,) = caplog.records
    assert record.getMessage().endswith("DATA.CLIP_SPACING = linspace")
    assert config.DATA.CLIP_SPACING == "linspace"
    assert config.AUG.NUM_SAMPLE == 2
    assert config.AUG.COLOR_JITTER == 0
    assert config.AUG.AA_TYPE == "rand-m7-n4-mstd0.5-inc1"
    assert config.DATA.TRAIN_JITTER_SCALES_RELATIVE == (0.08, 1.0)
    assert (config.MIXUP.ENABLE, config.MIXUP.SWITCH_PROB) == (True, 0.5)


def test_nothing_is_on_by_default():
    config = load_config()
    assert not config.AUG.ENABLE
    assert not config.MIXUP.ENABLE
    assert config.AUG.NUM_SAMPLE == 1
    assert config.AUG.LABEL_SMOOTHING == 0
    assert not any((*config.AUG.HLS_JITTER, *config.AUG.PIXEL_JITTER))
    assert config.DATA.TRAIN_JITTER_ASPECT == config.DATA.TRAIN_JITTER_SCALES_RELATIVE == ()


def test_keys_of_masked_pretraining_have_no_effect(caplog):
    with caplog.at_level(logging.WARNING):
        load_config(None, ["AUG.MASK_RATIO", "0.4", "AUG.GEN_MASK_LOADER", "True"])
    assert "no effect here: AUG.MASK_RATIO" in caplog.text
    assert "no effect here: AUG.GEN_MASK_LOADER" in caplog.text


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (["AUG.NUM_SAMPLE", "0"], "AUG.NUM_SAMPLE = 0: "),
        (["AUG.NUM_SAMPLE", "1.5"], "AUG.NUM_SAMPLE = 1.5: "),
        (["AUG.RE_MODE", "noise"], "AUG.RE_MODE = 'noise': Input should be 'pixel'"),
        (["AUG.RE_PROB", "1.2"], "AUG.RE_PROB = 1.2: "),
        (["AUG.INTERPOLATION", "lanczos"], "AUG.INTERPOLATION = 'lanczos': Input should be"),
        (["AUG.COLOR_JITTER", "-1"], "AUG.COLOR_JITTER = -1: "),
        (["AUG.COLOR_JITTER", "much"], "AUG.COLOR_JITTER = 'much': "),
        (["AUG.HLS_JITTER", "[15, 35]"], "AUG.HLS_JITTER"),
        (["AUG.HLS_JITTER", "[181, 0, 0]"], "hue is at most 180"),
        (["AUG.HLS_JITTER", "[15, 0, 256]"], "saturation is at most 255"),
        (["AUG.PIXEL_JITTER", "[5, 20]"], "AUG.PIXEL_JITTER = [5, 20]: the first is from -255"),
        (["AUG.PIXEL_JITTER", "[-5, 300]"], "AUG.PIXEL_JITTER = 300: "),
        (["AUG.LABEL_SMOOTHING", "1"], "AUG.LABEL_SMOOTHING = 1: "),
        (
            ["AUG.ENABLE", "True", "AUG.RE_SPLIT", "True"],
            "AUG.RE_SPLIT = True spares the first clip of each video, and AUG.NUM_SAMPLE = 1",
        ),
        (["AUG.ENABLED", "True"], "unknown key AUG.ENABLED; did you mean AUG.ENABLE?"),
        (["MIXUP.ALPHA", "-0.5"], "MIXUP.ALPHA = -0.5: "),
        (["MIXUP.PROB", "2"], "MIXUP.PROB = 2: "),
        (["MIXUP.LABEL_SMOOTH_VALUE", "1.0"], "MIXUP.LABEL_SMOOTH_VALUE = 1.0: "),
        (["DATA.TRAIN_JITTER_ASPECT", "[0.8]"], "DATA.TRAIN_JITTER_ASPECT = [0.8]: the least"),
        (["DATA.TRAIN_JITTER_ASPECT", "[1.25, 0.8]"], "the least and the greatest are expected"),
        (["DATA.TRAIN_JITTER_ASPECT", "[0, 1.25]"], "DATA.TRAIN_JITTER_ASPECT = 0: "),
        (
            ["DATA.VAL_SHORT_SIDE", "200"],
            "DATA.TRAIN_CROP_SIZE = 224 does not fit into DATA.VAL_SHORT_SIDE = 200",
        ),
        (
            ["DATA.TRAIN_JITTER_SCALES_RELATIVE", "[0.08, 1]"],
            "DATA.TRAIN_JITTER_SCALES_RELATIVE = [0.08, 1.0] and "
            "DATA.TRAIN_JITTER_ASPECT_RELATIVE = []: both are needed, or neither",
        ),
        (["DATA.TRAIN_JITTER_ASPECT_RELATIVE", "[0.75, 1.33]"], "both are needed, or neither"),
        (
            [
                *("DATA.TRAIN_JITTER_SCALES_RELATIVE", "[0.08, 1.5]"),
                *("DATA.TRAIN_JITTER_ASPECT_RELATIVE", "[0.75, 1.33]"),
            ],
            "a share of the area is at most 1",
        ),
        (
            [
                *("DATA.TRAIN_JITTER_SCALES_RELATIVE", "[0.08, 1]"),
                *("DATA.TRAIN_JITTER_ASPECT_RELATIVE", "[0.75, 1.33]"),
                *("DATA.TRAIN_JITTER_ASPECT", "[0.8, 1.25]"),
            ],
            "DATA.TRAIN_JITTER_ASPECT = [0.8, 1.25] is for crops without",
        ),
    ],
)
def test_wrong_values_are_named(pairs, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        load_config(None, pairs)
