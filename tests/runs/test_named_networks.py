"""Runs of networks of other packages, by MODEL.NAME alone."""

import json

import pytest
from run_files import flat

from glore_video.cli.main import main
from glore_video.config import load_config, with_values
from glore_video.errors import UsageError
from glore_video.models import glore_units
from glore_video.models.networks.inserted_units import inserted_units
from glore_video.prediction.loading import load_predictor
from glore_video.runs.named_network import with_published_input
from glore_video.runs.network import build_model


def named(options, name, after):
    kept = {
        k: v for k, v in options.items() if not k.startswith(("MODEL.ARCH", "GLORE", "MODEL.D"))
    }
    return kept | {"MODEL.NAME": name, "GLORE.AFTER": after}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "after", "units"),
    [
        ("torchvision/video/mc3_18", "[layer3.*]", 2),
        ("pytorchvideo/x3d_xs", "[blocks.3.res_blocks.0]", 1),
        ("glore_i3d_r50", "[blocks.5.res_blocks.2]", 6),
    ],
    ids=["torchvision", "pytorchvideo", "the zoo"],
)
def test_named_network_trains_tests_and_predicts(cfg, options, name, after, units):
    options = named(options, name, after) | {"SOLVER.MAX_EPOCH": 1, "SOLVER.BASE_LR": 0.001}
    assert main([*cfg, *flat(options)]) == 0
    out = options["OUTPUT_DIR"]
    assert json.loads((out / "test" / "summary.json").read_text())["videos_scored"] == 8
    ready = load_predictor(weights=out)
    assert len(glore_units(ready.network)) == units
    assert ready.class_names == ("dark", "bright")


def test_what_is_not_set_is_as_published():
    config = with_published_input(
        load_config(None, ["MODEL.NAME", "torchvision/video/r3d_18", "DATA.NUM_FRAMES", "8"])
    )
    assert config.DATA.MEAN == (0.43216, 0.394666, 0.37645)
    assert config.DATA.NUM_FRAMES == 8
    assert (config.DATA.TRAIN_CROP_SIZE, config.DATA.TEST_CROP_SIZE) == (112, 112)
    assert config.DATA.TRAIN_JITTER_SCALES == (128, 160)
    # What a run writes down is read back to the same.
    assert with_published_input(config) == config
    plain = load_config(None, ["MODEL.NAME", "slow_r50"])
    assert with_published_input(plain) is plain


def test_a_network_for_pictures_is_refused():
    with pytest.raises(UsageError, match=r"MODEL.NAME = torchvision/resnet18 takes pictures"):
        with_published_input(load_config(None, ["MODEL.NAME", "torchvision/resnet18"]))


def test_clips_that_a_network_can_not_take():
    config = with_published_input(
        load_config(None, ["MODEL.NAME", "torchvision/video/s3d", "DATA.NUM_FRAMES", "4"])
    )
    with pytest.raises(UsageError, match=r"s3d can't take clips of \(3, 4, 224, 224\).*\(3, 16, 2"):
        build_model(config)


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (["MODEL.PRETRAINED", "True"], "MODEL.PRETRAINED = True needs MODEL.NAME"),
        (
            ["MODEL.NAME", "slow_r50", "RESNET.DEPTH", "101", "MODEL.ARCH", "slow"],
            "MODEL.ARCH, RESNET: of no use with MODEL.NAME = slow_r50",
        ),
        (
            ["GLORE.AFTER", "[a]", "GLORE.LOCATION", "[[[0]]]"],
            "GLORE.AFTER and GLORE.LOCATION exclude",
        ),
        (
            ["MODEL.NAME", "pytorchvideo/x3d_s", "NONLOCAL.LOCATION", "[[[0]]]"],
            "name the blocks of MODEL.NAME = pytorchvideo/x3d_s in NONLOCAL.AFTER",
        ),
    ],
    ids=["pretrained without a name", "other keys of networks", "two places", "stages"],
)
def test_keys_that_exclude_each_other(pairs, said):
    with pytest.raises(UsageError, match=said):
        load_config(None, pairs)


def test_blocks_that_a_network_does_not_have():
    config = load_config(None, ["MODEL.NAME", "slow_r50", "GLORE.AFTER", "[blocks.9.*]"])
    with pytest.raises(
        UsageError, match=r"GLORE.AFTER = \['blocks.9.\*'\]: the network has no block"
    ):
        build_model(config)


@pytest.mark.slow
def test_a_network_by_name_is_shown_videos_as_published():
    ready = load_predictor(model="torchvision/video/r3d_18", untrained=True)
    assert (ready.views.crop_size, ready.views.short_side, ready.views.sampling.num_frames) == (
        112,
        128,
        16,
    )
    assert ready.normalize.mean == (0.43216, 0.394666, 0.37645)
    assert len(ready.class_names) == 400
    assert ready.kind.word == "video"
    of_pictures = load_predictor(model="torchvision/resnet18", untrained=True)
    assert of_pictures.kind.word == "picture"
    assert len(of_pictures.class_names) == 1000


def test_options_go_to_the_builder_and_are_kept():
    pairs = ["TASK", "image_classification", "MODEL.NAME", "torchvision/resnet18"]
    config = load_config(None, [*pairs, "MODEL.OPTIONS.width_per_group", "64"])
    config = with_published_input(config)
    assert config.MODEL.OPTIONS == {"width_per_group": 64}
    assert load_config(
        None, ["MODEL.NAME", "a/b", "MODEL.OPTIONS", "{x: [1, 2.5, no]}"]
    ).MODEL.OPTIONS == {"x": [1, 2.5, False]}
    options = {"replace_stride_with_dilation": [False, True, True]}
    model = build_model(
        with_values(config, {"MODEL.OPTIONS": options, "MODEL.NAME": "torchvision/resnet50"})
    )
    assert model.layer4[0].conv2.stride == (1, 1)


def test_drop_path_of_timms_networks():
    timm = pytest.importorskip("timm.layers", reason="timm is an extra")
    pairs = ["TASK", "image_classification", "MODEL.NAME", "timm/resnet18"]
    config = load_config(None, [*pairs, "MODEL.OPTIONS", "{drop_path_rate: 0.05}"])
    rates = [m.drop_prob for m in build_model(config).modules() if isinstance(m, timm.DropPath)]
    assert max(rates) == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (
            ["MODEL.NAME", "torchvision/resnet18", "MODEL.OPTIONS", "{drop_paths: 1}"],
            r"MODEL.OPTIONS: torchvision/resnet18 does not take the options \{'drop_paths': 1\}: .*",
        ),
        (
            ["MODEL.NAME", "torchvision/resnet18", "MODEL.OPTIONS", "{norm_layer: 3}"],
            r"MODEL.OPTIONS: torchvision/resnet18 does not take the options \{'norm_layer': 3\}: .*",
        ),
        (
            ["MODEL.NAME", "slow_r50", "MODEL.OPTIONS", "{a: 1}"],
            r"MODEL.OPTIONS .* MODEL.NAME is slow_r50",
        ),
        (["MODEL.OPTIONS", "{a: 1}"], r"MODEL.OPTIONS .* MODEL.NAME is not set"),
        (["MODEL.OPTIONS", "drop"], r"MODEL.OPTIONS = 'drop'"),
        (
            ["MODEL.OPTIONS", "{num_classes: 3}"],
            r"MODEL.OPTIONS = .*: 'num_classes' .* MODEL.NUM_CLASSES is",
        ),
        (["MODEL.OPTIONS", "{checkpoint_path: x.pth}"], "TRAIN.CHECKPOINT_FILE_PATH names a file"),
        (["MODEL.OPTIONS", "{a: .nan}"], "'a' must be a number, text"),
        (["MODEL.OPTIONS", "{a: 2001-01-01}"], "'a' must be a number, text"),
    ],
    ids=["unknown", "wrong", "zoo", "none", "text", "classes", "weights", "nan", "date"],
)
def test_options_that_do_not_fit(pairs, said):
    with pytest.raises(UsageError, match=said) as error:
        build_model(load_config(None, ["TASK", "image_classification", *pairs]))
    assert "\n" not in str(error.value)


def test_non_local_blocks_are_counted_as_units_are():
    pairs = ["TASK", "image_classification", "MODEL.NAME", "torchvision/resnet18"]
    model = build_model(load_config(None, [*pairs, "NONLOCAL.UNITS", "[0, 1]"]))
    assert list(inserted_units(model)) == ["layer3.0.nonlocal_block"]
    with pytest.raises(UsageError, match=r"NONLOCAL.UNITS = \[0, 9\]: 9 units on Res4"):
        build_model(load_config(None, [*pairs, "NONLOCAL.UNITS", "[0, 9]"]))


PICTURES = ["TASK", "image_classification", "MODEL.NAME"]


def test_units_of_the_papers_picture_network_are_its_own_unless_set():
    paper = [*PICTURES, "preact_resnet50_2d", "GLORE.UNITS", "[0, 1]"]
    config = with_published_input(load_config(None, paper))
    assert (config.GLORE.FORM, config.GLORE.NORMALIZE) == ("preactivated", False)
    assert with_published_input(config) == config
    (unit,) = glore_units(build_model(with_values(config, {"MODEL.NUM_CLASSES": 3}))).values()
    assert (unit.form, unit.normalize) == ("preactivated", False)
    kept = with_published_input(load_config(None, [*paper, "GLORE.NORMALIZE", "True"]))
    assert (kept.GLORE.FORM, kept.GLORE.NORMALIZE) == ("preactivated", True)
    post = with_published_input(load_config(None, [*paper, "GLORE.FORM", "post"]))
    assert (post.GLORE.FORM, post.GLORE.NORMALIZE) == ("post", True)
    other = with_published_input(load_config(None, [*PICTURES, "torchvision/resnet18"]))
    assert (other.GLORE.FORM, other.GLORE.NORMALIZE) == ("post", True)


def test_networks_of_the_zoo_for_the_other_task_are_refused():
    with pytest.raises(UsageError, match="MODEL.NAME = slow_r50 takes clips of videos"):
        with_published_input(load_config(None, [*PICTURES, "slow_r50"]))
    with pytest.raises(UsageError, match="MODEL.NAME = preact_resnet50_2d takes pictures"):
        with_published_input(load_config(None, ["MODEL.NAME", "preact_resnet50_2d"]))
