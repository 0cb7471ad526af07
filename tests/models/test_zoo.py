import pytest
import torch

from glore_video.models.insertion import glore_units, inserted_units
from glore_video.models.zoo import ARCHITECTURES, build_network, create_model, list_models

# M parameters: preact and glore_r* as published, the plain ones as pytorchvideo states them.
PARAMETERS = {
    "preact_r50_8x8": 27.99,
    "preact_r101_8x8": 51.70,
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


def test_pretrained_from_a_file(tmp_path):
    source = create_model("c2d_r50", num_classes=2)
    torch.save({"model_state": source.state_dict()}, tmp_path / "c2d.pyth")
    model = create_model("c2d_r50", num_classes=3, pretrained=tmp_path / "c2d.pyth")
    stem = "blocks.0.conv.weight"
    assert torch.equal(model.state_dict()[stem], source.state_dict()[stem])
    assert model.blocks[-1].proj.out_features == 3


def test_bad_names_and_weights():
    with pytest.raises(ValueError, match="unknown model 'slowfst_r50'; nearest: slowfast_r50"):
        create_model("slowfst_r50")
    with pytest.raises(ValueError, match="no published weights are known for 'c2d_r50'"):
        create_model("c2d_r50", pretrained=True)
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
        assert model(torch.zeros(2, 3, 8, 64, 64)).shape == (2, 9)
    rates = [m.p for m in model.modules() if isinstance(m, torch.nn.Dropout)]
    assert rates == [0.25]
