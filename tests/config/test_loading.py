"""YAML and KEY VALUE pairs: what is read, what is refused, and how the refusal reads."""

import logging
import re

import pytest

from glore_video.config import Config, describe, flatten, load_config, to_yaml
from glore_video.errors import UsageError


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_need_no_file():
    assert load_config() == Config()


def test_pairs_are_read_as_yaml():
    config = load_config(
        None,
        ["SOLVER.WEIGHT_DECAY", "1e-4", "DATA.MEAN", "[0.1, .2, 3e-1]", "TRAIN.ENABLE", "False"],
    )
    assert config.SOLVER.WEIGHT_DECAY == 0.0001
    assert config.DATA.MEAN == (0.1, 0.2, 0.3)
    assert config.TRAIN.ENABLE is False


@pytest.mark.parametrize("text", ["1e-4", "1E-4", "1.e-4", ".1e-3", "+1e-4", "0.0001"])
def test_scientific_notation_is_a_number(tmp_path, text):
    config = load_config(write(tmp_path / "c.yaml", f"SOLVER:\n  WEIGHT_DECAY: {text}\n"))
    assert config.SOLVER.WEIGHT_DECAY == 1e-4


def test_text_stays_text():
    config = load_config(
        None, ["OUTPUT_DIR", "007", "DATA.PATH_TO_DATA_DIR", "", "DATA.PATH_PREFIX", "no"]
    )
    assert (config.OUTPUT_DIR, config.DATA.PATH_TO_DATA_DIR, config.DATA.PATH_PREFIX) == (
        "007",
        "",
        "no",
    )


def test_base_is_read_first_and_may_have_a_base(tmp_path):
    write(tmp_path / "a.yaml", "DATA: {NUM_FRAMES: 4, SAMPLING_RATE: 4}\nRNG_SEED: 1\n")
    (tmp_path / "b").mkdir()
    write(tmp_path / "b" / "b.yaml", "_BASE_: ../a.yaml\nDATA: {NUM_FRAMES: 16}\n")
    config = load_config(write(tmp_path / "c.yaml", "_BASE_: b/b.yaml\nRNG_SEED: 3\n"))
    assert (config.DATA.NUM_FRAMES, config.DATA.SAMPLING_RATE, config.RNG_SEED) == (16, 4, 3)


def test_base_in_a_circle(tmp_path):
    write(tmp_path / "a.yaml", "_BASE_: b.yaml\n")
    write(tmp_path / "b.yaml", "_BASE_: a.yaml\n")
    with pytest.raises(ValueError, match="leads back"):
        load_config(tmp_path / "a.yaml")


def test_resolved_config_reads_back_the_same(tmp_path):
    config = load_config(
        None, ["GLORE.LOCATION", "[[[]], [[0, 2]], [[0, 2, 4]], [[]]]", "OUTPUT_DIR", "o ü/x"]
    )
    assert load_config(write(tmp_path / "c.yaml", to_yaml(config))) == config


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (["DATA.NUM_FRAME", "8"], "unknown key DATA.NUM_FRAME; did you mean DATA.NUM_FRAMES?"),
        (["NUM_FRAMES", "8"], "unknown key NUM_FRAMES; did you mean DATA.NUM_FRAMES?"),
        (["SOLVR.BASE_LR", "1"], "unknown key SOLVR.BASE_LR; did you mean SOLVER.BASE_LR?"),
        (["SOLVER.BASELR", "1"], "unknown key SOLVER.BASELR; did you mean SOLVER.BASE_LR?"),
        (["SOLVR", "1"], "unknown key SOLVR; did you mean SOLVER?"),
        (["train.enable", "1"], "unknown key train.enable; did you mean TRAIN.ENABLE?"),
        (
            ["TRAIN.CHECKPOINT_ALLOW", "head"],
            "ALLOW = 'head': a list is expected, such as \"[head]\"",
        ),
        (
            ["TRAIN.CHECKPOINT_ALLOW", "[head,", "units]"],
            'needs quotes: TRAIN.CHECKPOINT_ALLOW "[head, units]"',
        ),
        (["DATA.MEAN", "[1,", "2,", "3]"], 'needs quotes: DATA.MEAN "[1, 2, 3]"'),
        (["DATA.MEAN", "[.1, .2]"], "3 values are expected"),
        (["DATA.MEAN", "[.1, .2, .3, .4]"], "3 values are expected"),
        (["DATA.MEAN", "0.5"], "DATA.MEAN = 0.5: a list is expected"),
        (["GLORE.LOCATION", "[0]"], "GLORE.LOCATION = 0: a list of such is expected, in brackets"),
        (["TRAIN.ENABLE", "maybe"], "TRAIN.ENABLE = 'maybe': True or False is expected"),
        (["DATA.NUM_FRAMES", "1.5"], "DATA.NUM_FRAMES = 1.5: a whole number is expected"),
        (["DATA.PATH_LABEL_SEPARATOR", ""], "DATA.PATH_LABEL_SEPARATOR = '': must not be empty"),
        (["SLOWFAST.BETA_INV", "7"], "SLOWFAST.BETA_INV = 7: must be a divisor of 64"),
        (["SLOWFAST.FUSION_KERNEL_SZ", "4"], "SLOWFAST.FUSION_KERNEL_SZ = 4: must be odd"),
        (["RESNET.NUM_BLOCK_TEMP_KERNEL", "[[3], [4]]"], "KERNEL = .*: four stages are expected"),
        (
            ["MODEL.ARCH", "slowfast", "RESNET.NUM_BLOCK_TEMP_KERNEL", "[[3], [4], [6], [3]]"],
            "four stages are expected, each with a number for each of 2 pathways",
        ),
        (
            ["RESNET.NUM_BLOCK_TEMP_KERNEL", "[[3], [4], [7], [3]]"],
            "at most [3, 4, 6, 3], the blocks of RESNET.DEPTH = 50",
        ),
        (["QQQ", "8"], "unknown key QQQ; --help-config lists the known ones"),
        (["DATA.NUM_FRAMES", "many"], "DATA.NUM_FRAMES = 'many'"),
        (["DATA.NUM_FRAMES", "0"], "DATA.NUM_FRAMES = 0: .*greater than or equal to 1"),
        (["DATA.NUM_FRAMES", "True"], "a number is expected"),
        (["SOLVER.BASE_LR", ".nan"], "SOLVER.BASE_LR = nan"),
        (["SOLVER.BASE_LR", ""], "SOLVER.BASE_LR = '': a number is expected"),
        (["DATA", "3"], "DATA = 3: it is a section"),
        (["DATA.NUM_FRAMES.X", "3"], "DATA.NUM_FRAMES = {'X': 3}"),
        (["MODEL.ARCH", "resnet"], "MODEL.ARCH = 'resnet': Input should be 'preact'"),
        (["TEST.NUM_SPATIAL_CROPS", "2"], "TEST.NUM_SPATIAL_CROPS = 2: Input should be 1, 3 or 5"),
        (["DATA.TRAIN_CROP_SIZE", "300"], "DATA.TRAIN_CROP_SIZE = 300 does not fit"),
        (["DATA.TRAIN_JITTER_SCALES", "[320, 256]"], "the first is the greater"),
        (["SOLVER.LR_POLICY", "steps_with_relative_lrs"], "a rate for each step is needed"),
        (["SOLVER.MOMENTUM", "0"], "SOLVER.NESTEROV = True needs SOLVER.MOMENTUM above 0"),
        (["MODEL.ARCH", "slowfast", "DATA.NUM_FRAMES", "9"], "not a multiple of SLOWFAST.ALPHA"),
        (["SYNTHETIC.LABELS", "pair"], "needs DATA.RANDOM_FLIP False"),
        (["RESNET.TRANS_FUNC", "x3d_transform"], "not supported, only bottleneck_transform"),
        (["NUM_GPUS"], "'NUM_GPUS' has no value"),
        (
            ["GLORE.LOCATION", "[[[0]]]", "NONLOCAL.LOCATION", "[[[1, 0]]]"],
            "both name stage 0, pathway 0, block 0",
        ),
    ],
)
def test_wrong_pairs_are_named(pairs, message):
    with pytest.raises(ValueError, match=re.escape(message) if ".*" not in message else message):
        load_config(None, pairs)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("DATA: [", r"c\.yaml:[12]: not valid YAML"),
        ("- 1\n", "KEY: value lines are expected, not a list"),
        ("_BASE_: 3\n", "_BASE_ = 3"),
        ("DATA: !!python/object/apply:os.system [true]\n", "not valid YAML"),
    ],
)
def test_wrong_files_are_named(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        load_config(write(tmp_path / "c.yaml", text))


def test_binary_file_is_refused(tmp_path):
    (tmp_path / "c.yaml").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ValueError, match="not a text file"):
        load_config(tmp_path / "c.yaml")


def test_missing_file():
    with pytest.raises(FileNotFoundError, match=r"nowhere\.yaml: no such configuration file"):
        load_config("nowhere.yaml")


def test_slowfast_keys_without_effect_warn(tmp_path, caplog):
    text = "BN: {GLOBAL_SYNC: True}\nMVIT: {DEPTH: 16}\nDATA: {INPUT_CHANNEL_NUM: [3]}\n"
    with caplog.at_level(logging.WARNING, logger="glore_video"):
        found = load_config(write(tmp_path / "c.yaml", text))
    assert found == load_config(None, ["DATA.CLIP_SPACING", "linspace"])
    first, second = (record.getMessage() for record in caplog.records)
    assert "no effect here: BN.GLOBAL_SYNC, MVIT" in first
    assert second.endswith(
        "SlowFast's own file, so its frames of a clip: DATA.CLIP_SPACING = linspace"
    )


SLOW_4X16 = """
TRAIN: {DATASET: kinetics, BATCH_SIZE: 64}
DATA: {NUM_FRAMES: 4, SAMPLING_RATE: 16, INPUT_CHANNEL_NUM: [3]}
RESNET: {WIDTH_PER_GROUP: 64, NUM_GROUPS: 1, TRANS_FUNC: bottleneck_transform}
MODEL: {NUM_CLASSES: 400, ARCH: slow, MODEL_NAME: ResNet, LOSS_FUNC: cross_entropy}
NUM_SHARDS: 1
"""


def spacing(path, *pairs):
    return load_config(path, pairs).DATA.CLIP_SPACING


def test_clips_of_slowfasts_own_files_are_slowfasts(tmp_path):
    slow = write(tmp_path / "SLOW_4x16_R50.yaml", SLOW_4X16)
    assert spacing(slow) == "linspace"
    assert spacing(slow, "DATA.NUM_FRAMES", "8") == "linspace"
    base = write(tmp_path / "mine.yaml", "_BASE_: SLOW_4x16_R50.yaml\nRNG_SEED: 3\n")
    assert spacing(base) == "linspace"


def test_a_spacing_that_is_given_wins(tmp_path, caplog):
    slow = write(tmp_path / "SLOW_4x16_R50.yaml", SLOW_4X16)
    text = "_BASE_: SLOW_4x16_R50.yaml\nDATA: {CLIP_SPACING: stride}\n"
    with caplog.at_level(logging.WARNING, logger="glore_video"):
        assert spacing(slow, "DATA.CLIP_SPACING", "stride") == "stride"
        assert spacing(write(tmp_path / "mine.yaml", text)) == "stride"
    assert not caplog.records


def test_other_files_keep_the_stride(tmp_path):
    plain = write(tmp_path / "mine.yaml", "MODEL: {ARCH: slow}\nDATA: {SAMPLING_RATE: 16}\n")
    assert spacing(plain) == "stride"
    # A key of SlowFast's on the command line makes no file SlowFast's.
    assert spacing(plain, "NUM_SHARDS", "1") == "stride"


def test_slowfast_c2d_without_pooling(tmp_path):
    text = "MODEL: {ARCH: c2d, MODEL_NAME: ResNet_nopool}\n"
    assert load_config(write(tmp_path / "c.yaml", text)).MODEL.ARCH == "c2d_nopool"


def test_nonlocal_pooling():
    assert load_config().NONLOCAL.pool == (1, 2, 2)
    pairs = ["NONLOCAL.POOL", "[[[1, 3, 3]], [[1, 3, 3]]]"]
    assert load_config(None, pairs).NONLOCAL.pool == (1, 3, 3)
    with pytest.raises(ValueError, match="NONLOCAL.POOL must be the same"):
        load_config(None, ["NONLOCAL.POOL", "[[[1, 3, 3]], [[1, 2, 2]]]"])


def test_multigrid_is_refused_only_when_on(tmp_path):
    off = write(tmp_path / "off.yaml", "MULTIGRID: {LONG_CYCLE: False}\n")
    assert load_config(off) == Config()
    on = write(tmp_path / "on.yaml", "MULTIGRID: {LONG_CYCLE: True}\n")
    with pytest.raises(ValueError, match="multigrid training is not supported"):
        load_config(on)


def test_config_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        Config().RNG_SEED = 3


def test_help_lists_every_key_once():
    names = [line.split()[0] for line in describe().splitlines()]
    assert sorted(names) == sorted(name for name, _ in flatten(Config()))
    assert all(len(line.split()) > 2 for line in describe().splitlines())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("RNG_SEED: 2001-99-99\n", "a value that YAML can't read: month must be in 1..12"),
        ("RNG_SEED: 0x_\n", "a value that YAML can't read: invalid literal"),
        (
            f"RNG_SEED: {'[' * 3000}{']' * 3000}\n",
            "a value that YAML can't read: maximum recursion",
        ),
        (f"RNG_SEED: {'9' * 5000}\n", "RNG_SEED|a value that YAML can't read: Exceeds the limit"),
        ("OUTPUT_DIR: a\x07b\n", "not valid YAML: "),
        ("DATA: &a {x: *a}\n", r"unknown key DATA\.x\.x\.x"),
        ('OUTPUT_DIR: "a\\0b"\n', r"OUTPUT_DIR = 'a\\x00b': no file or name has a zero byte"),
    ],
    ids=["date", "number", "depth", "length", "control", "recursion", "zero byte"],
)
def test_values_that_yaml_stumbles_over_are_the_users(tmp_path, text, said):
    path = tmp_path / "odd.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=said) as caught:
        load_config(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    ["2001-99-99", "0x_", "[" * 3000 + "]" * 3000, "9" * 5000],
    ids=["date", "number", "depth", "length"],
)
def test_values_of_pairs_that_yaml_stumbles_over(value):
    with pytest.raises(UsageError, match="RNG_SEED"):
        load_config(pairs=["RNG_SEED", value])
