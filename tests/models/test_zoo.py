import logging
from dataclasses import replace

import pytest
import torch

from glore_video.models import zoo
from glore_video.models.networks.inserted_units import glore_units, inserted_units
from glore_video.models.weights.files import save_weights
from glore_video.models.weights.published import PUBLISHED, weights_url
from glore_video.models.zoo import (
    ARCHITECTURES,
    PICTURE_ARCHITECTURES,
    build_network,
    create_model,
    list_models,
)

# M parameters: preact and glore_r* as published, the plain ones as pytorchvideo states them.
PARAMETERS = {
    "preact_r50_8x8": 27.99,
    "preact_r101_8x8": 51.70,
    "preact_resnet50_2d": 25.55,
    "preact_resnet101_2d": 44.55,
    "preact_resnet200_2d": 64.67,
    "glore_r50_8x8": 33.73,
    "glore_r101_8x8": 57.44,
    "c2d_r50": 24.33,
    "i3d_r50": 28.04,
    "slow_r50": 32.45,
    "slowfast_r50": 34.57,
}


def meta(name: str) -> torch.nn.Module:
    with torch.device("meta"):
        return create_model(name)


def test_names():
    backbones = ["c2d_r50", "i3d_r50", "slow_r50", "slowfast_r50"]
    assert sorted(list_models()) == sorted(
        [*PARAMETERS, *(f"{kind}_{b}" for kind in ("glore", "nonlocal") for b in backbones)]
    )


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters(name):
    count = sum(p.numel() for p in meta(name).parameters())
    assert round(count / 1e6, 2) == PARAMETERS[name]


@pytest.mark.parametrize(
    ("name", "units"),
    [
        ("glore_r50_8x8", ["conv3.B01", "conv3.B03", "conv4.B01", "conv4.B03", "conv4.B05"]),
        ("glore_r101_8x8", ["conv3.B01", "conv3.B03", "conv4.B06", "conv4.B12", "conv4.B18"]),
        (
            "glore_i3d_r50",
            [f"blocks.{s}.res_blocks.{b}" for s, b in [(3, 0), (3, 2), (4, 0), (4, 2), (4, 4)]],
        ),
        (
            "glore_slowfast_r50",
            [
                f"blocks.{s}.multipathway_blocks.0.res_blocks.{b}"
                for s, b in [(2, 0), (2, 2), (3, 0), (3, 2), (3, 4)]
            ],
        ),
    ],
)
def test_places_and_sizes_of_units(name, units):
    found = glore_units(meta(name))
    assert list(found) == [f"{path}.glore" for path in units]
    sizes = [(u.channels, u.nodes, u.states, u.normalize) for u in found.values()]
    assert sizes == [(512, 128, 256, True)] * 2 + [(1024, 256, 512, True)] * 3


@pytest.mark.parametrize(
    ("name", "stage", "instantiation"),
    [("nonlocal_c2d_r50", 3, "softmax"), ("nonlocal_slow_r50", 2, "dot_product")],
)
def test_places_of_nonlocal_blocks(name, stage, instantiation):
    found = inserted_units(meta(name))
    places = [(stage, 1), (stage, 3), (stage + 1, 1), (stage + 1, 3), (stage + 1, 5)]
    assert list(found) == [f"blocks.{s}.res_blocks.{b}.nonlocal_block" for s, b in places]
    assert {block.instantiation for block in found.values()} == {instantiation}


@pytest.fixture
def light_zoo(monkeypatch):
    """Two zoo names stand for networks that are built in no time."""
    glore = [[[0]], [[0]]]
    monkeypatch.setitem(zoo._MODELS, "preact_r50_8x8", zoo._Recipe("tiny", 50))
    monkeypatch.setitem(zoo._MODELS, "glore_r50_8x8", zoo._Recipe("tiny", 50, glore=glore))


@pytest.fixture
def plain_file(light_zoo, tmp_path):
    """Weights of the plain network, 5 classes."""
    source = create_model("preact_r50_8x8", num_classes=5)
    save_weights(source, tmp_path / "plain.pyth")
    return tmp_path / "plain.pyth", source.eval()


def test_pretrained_from_a_file(plain_file, caplog):
    path, source = plain_file
    for given in (path, str(path), path.as_uri()):
        model = create_model("preact_r50_8x8", num_classes=5, pretrained=given).eval()
        clip = torch.randn(2, 3, 2, 16, 16)
        assert torch.equal(model(clip), source(clip))
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_new_classifier(plain_file, caplog):
    path, source = plain_file
    model = create_model("preact_r50_8x8", num_classes=7, pretrained=path)
    assert model.classifier.out_features == 7
    assert torch.equal(model.stem[0].weight, source.stem[0].weight)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "preact_r50_8x8: head newly initialised" in record.getMessage()


def test_a_classifier_is_replaced_on_demand_only(plain_file):
    path, _ = plain_file
    with pytest.raises(ValueError, match=r"has 5 classes, the network 400; give num_classes=5, or"):
        create_model("preact_r50_8x8", pretrained=path)


def test_a_missing_classifier_is_an_error(plain_file):
    path, source = plain_file
    state = {k: v for k, v in source.state_dict().items() if "classifier" not in k}
    torch.save(state, path)
    with pytest.raises(ValueError, match=r"missing: classifier\.weight, classifier\.bias"):
        create_model("preact_r50_8x8", num_classes=7, pretrained=path)


def test_units_new_over_a_plain_network(plain_file, caplog):
    path, source = plain_file
    model = create_model("glore_r50_8x8", num_classes=5, pretrained=path).eval()
    clip = torch.randn(2, 3, 2, 16, 16)
    assert torch.equal(model(clip), source(clip))
    assert "glore_r50_8x8: units newly initialised" in caplog.text
    assert all(unit.normalize for unit in glore_units(model).values())


@pytest.mark.parametrize("normalize", [True, False])
def test_units_are_normalised_as_they_were_trained(light_zoo, tmp_path, normalize):
    source = create_model("glore_r50_8x8", num_classes=5)
    for unit in glore_units(source).values():
        unit.normalize = normalize
        torch.nn.init.normal_(unit.blocker.weight)
    save_weights(source, tmp_path / "units.pyth")
    model = create_model("glore_r50_8x8", num_classes=5, pretrained=tmp_path / "units.pyth")
    assert [unit.normalize for unit in glore_units(model).values()] == [normalize] * 2
    clip = torch.randn(2, 3, 2, 16, 16)
    assert torch.equal(model.eval()(clip), source.eval()(clip))


def test_a_file_with_some_of_the_units_is_an_error(light_zoo, tmp_path):
    state = create_model("glore_r50_8x8", num_classes=5).state_dict()
    torch.save({k: v for k, v in state.items() if "stage2.0.glore" not in k}, tmp_path / "w.pyth")
    with pytest.raises(ValueError, match=r"missing: stage2\.0\.glore"):
        create_model("glore_r50_8x8", num_classes=5, pretrained=tmp_path / "w.pyth")


def test_published_weights_are_found_by_name(plain_file, monkeypatch, caplog):
    path, source = plain_file
    published = replace(PUBLISHED["glore_r50_8x8"], url=path.as_uri())
    monkeypatch.setitem(PUBLISHED, "glore_r50_8x8", published)
    model = create_model("glore_r50_8x8", num_classes=5, pretrained=True)
    assert torch.equal(model.stem[0].weight, source.stem[0].weight)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("glore_r50_8x8", "glore/kinetics/resnet50-lite_3d_8x8_w-glore_2-3_ep-0000.pth"),
        ("glore_r101_8x8", "glore/kinetics/resnet101-lite_3d_8x8_w-glore_2-3_ep-0000.pth"),
        ("slow_r50", "pytorchvideo/model_zoo/kinetics/SLOW_8x8_R50.pyth"),
        ("glore_slow_r50", "pytorchvideo/model_zoo/kinetics/SLOW_8x8_R50.pyth"),
        ("nonlocal_slowfast_r50", "pytorchvideo/model_zoo/kinetics/SLOWFAST_8x8_R50.pyth"),
        ("nonlocal_i3d_r50", "pyslowfast/model_zoo/kinetics400/I3D_NLN_8x8_R50.pkl"),
    ],
)
def test_urls_of_published_weights(name, file):
    assert weights_url(name) == f"https://dl.fbaipublicfiles.com/{file}"


def test_every_name_has_weights_or_says_what_there_is():
    without = []
    for name in list_models():
        try:
            weights_url(name)
        except ValueError:
            without.append(name)
    pictures = [f"preact_resnet{depth}_2d" for depth in (50, 101, 200)]
    assert without == ["preact_r50_8x8", "preact_r101_8x8", *pictures]
    with pytest.raises(ValueError, match="no weights in a format .* for 'preact_resnet50_2d'"):
        create_model("preact_resnet50_2d", pretrained=True)
    with pytest.raises(ValueError, match=r"'preact_r50_8x8'; its 2D .*/resnet50-lite\.pth; give"):
        create_model("preact_r50_8x8", pretrained=True)


def test_bad_names_and_weights():
    with pytest.raises(ValueError, match="unknown model 'slowfst_r50'; nearest: slowfast_r50"):
        create_model("slowfst_r50")
    with pytest.raises(ValueError, match="num_classes must be at least 1, got 0"):
        create_model("c2d_r50", num_classes=0)
    with pytest.raises(FileNotFoundError, match="no weights file nowhere"):
        create_model("c2d_r50", pretrained="nowhere")
    with pytest.raises(ValueError, match=r"arch must be one of preact, c2d, .*got 'x3d'"):
        build_network("x3d")
    with pytest.raises(ValueError, match="num_classes must be at least 1, got 0"):
        build_network("tiny", num_classes=0)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_architecture_takes_the_same_arguments(arch):
    with torch.device("meta"):
        model = build_network(
            arch,
            depth=50,
            num_classes=9,
            dropout_rate=0.25,
            zero_init_final_bn=True,
            num_block_temp_kernel=[[3, 3], [4, 4], [6, 6], [3, 3]],
        ).eval()
        frames = () if arch in PICTURE_ARCHITECTURES else (8,)
        assert model(torch.zeros(2, 3, *frames, 64, 64)).shape == (2, 9)
    rates = [m.p for m in model.modules() if isinstance(m, torch.nn.Dropout)]
    assert rates == [0.25]
