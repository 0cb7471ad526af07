"""Segmentation networks: dilated backbones, heads and their forms, weights, export."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from glore_video.models import (
    GloreUnit,
    UnfitWeightsError,
    count_complexity,
    create_model,
    fuse_for_inference,
    glore_units,
    insert_glore,
    inserted_units,
    load_weights,
    remove_glore,
    save_weights,
    stage_blocks,
)
from glore_video.models.deployment.export import export_network, load_exported
from glore_video.models.named_info import network_info
from glore_video.models.networks.dilated import dilated_backbone
from glore_video.models.networks.fcn import HEAD_FORMS, SegmentationHead
from glore_video.models.networks.heads import head_parts, head_path, head_paths
from glore_video.models.networks.inserted_units import zero_init_units
from glore_video.models.networks.nonlocal2d import NonLocal2d
from glore_video.models.networks.tiny import TinyBackbone2d, TinyResNet2d
from glore_video.models.segmentation import build_segmentation

SMALL = "timm/resnet10t"  # four stages of one block


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def of_timm(name):
    return pytest.importorskip("timm", reason="timm is not installed").create_model(name)


def tiny(**options):
    return build_segmentation("tiny2d", num_classes=5, **options)


def spoilt(model):
    """Units that are no longer the identity, and batch norms that have seen something."""
    for unit in inserted_units(model).values():
        for parameter in unit.parameters():
            nn.init.normal_(parameter, std=0.3)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.3, 0.3)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return model


@pytest.mark.parametrize("stride", [8, 16])
@pytest.mark.parametrize("name", ["timm/resnet10t", "timm/regnetx_002", "timm/convnext_atto"])
def test_a_backbone_gives_two_maps_at_the_stride(name, stride):
    pytest.importorskip("timm", reason="timm is not installed")
    body, channels = dilated_backbone(name, output_stride=stride)
    shape = (1, 3, 64, 96)
    maps = body.to("meta")(torch.zeros(shape, device="meta"))
    assert [tuple(y.shape) for y in maps][1] == (1, channels[1], 64 // stride, 96 // stride)
    assert tuple(maps[0].shape) == (1, channels[0], 64 // stride, 96 // stride)


def test_a_dilated_backbone_is_the_host_without_strides():
    """At a quarter of the positions it computes what the host, whose strides it lost, computes there."""
    host = spoilt(of_timm("resnet10t")).double().eval()
    body = dilated_backbone(SMALL, output_stride=16)[0].double().eval()
    body.load_state_dict({k: v for k, v in host.state_dict().items() if not k.startswith("fc")})
    x = torch.randn(1, 3, 64, 96, dtype=torch.float64)
    before = host.layer3(host.layer2(host.layer1(host.maxpool(host.act1(host.bn1(host.conv1(x)))))))
    torch.testing.assert_close(body(x)[0], before)
    torch.testing.assert_close(body(x)[1][:, :, ::2, ::2], host.layer4(before))


def test_multi_grid():
    pytest.importorskip("timm", reason="timm is not installed")
    plain = dilated_backbone("timm/resnet26", output_stride=8)[0]
    grid = dilated_backbone("timm/resnet26", output_stride=8, multi_grid=(4, 8))[0]
    dilations = [block.conv2.dilation for block in grid.layer4]
    assert dilations == [(4, 4), (8, 8)]
    assert [block.conv2.dilation for block in plain.layer4] == [(2, 2), (4, 4)]
    assert grid.layer4[0].conv1.dilation == (1, 1)
    assert grid.layer3[1].conv2.dilation == plain.layer3[1].conv2.dilation == (2, 2)
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert grid.eval()(x)[1].shape == plain.eval()(x)[1].shape
    # A response two dilations away, and none between.
    conv = grid.layer4[1].conv2
    spot = torch.zeros(1, conv.in_channels, 33, 33)
    spot[..., 16, 16] = 1
    rows = conv(spot).abs().sum((0, 1, 3)).nonzero().flatten().tolist()
    assert rows == [8, 16, 24]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"name": "resnet50"},
            "backbone 'resnet50': must be a network of timm, timm/<name>, or tiny2d",
        ),
        ({"name": "torchvision/resnet50"}, r"torchvision's ResNets have a tag there"),
        ({"name": "timm/"}, "must be a network of timm"),
        ({"name": "timm/resnet5O"}, "timm has no 'resnet5O'; nearest: timm/resnet50"),
        (
            {"name": "timm/densenet121"},
            "timm/densenet121 can't be dilated to an output stride of 8",
        ),
        ({"name": "timm/vgg11"}, "timm/vgg11 can't be dilated .*ResNets, RegNets"),
        ({"name": "timm/vit_tiny_patch16_224"}, "can't be dilated"),
        ({"name": "timm/xception41"}, "can't be a backbone: timm reads its maps by hooks"),
        ({"name": SMALL, "output_stride": 4}, "output_stride must be 8 or 16, got 4"),
        ({"name": SMALL, "multi_grid": (4, 8)}, r"multi_grid must be 1 dilations.*got \(4, 8\)"),
        ({"name": SMALL, "multi_grid": (0,)}, r"multi_grid must be 1 dilations.*got \(0,\)"),
        ({"name": SMALL, "options": {"wings": 2}}, "with the options wings"),
        ({"name": "tiny2d", "multi_grid": (4,)}, r"multi_grid = \(4,\): tiny2d has no dilations"),
        ({"name": "tiny2d", "pretrained": True}, "pretrained: tiny2d has .* no published weights"),
        ({"name": "tiny2d", "options": {"depth": 2}}, "tiny2d takes no options but widths"),
    ],
)
def test_what_is_no_backbone(arguments, message):
    pytest.importorskip("timm", reason="timm is not installed")
    with pytest.raises(ValueError, match=message) as error:
        dilated_backbone(**arguments)
    assert "\n" not in str(error.value)


def test_the_tiny_backbone_is_the_tiny_network():
    whole, body = TinyResNet2d(3).eval(), TinyBackbone2d().eval()
    load = whole.state_dict()
    body.load_state_dict({k: v for k, v in load.items() if not k.startswith("classifier")})
    x = torch.randn(2, 3, 30, 22)
    first, last = body(x)
    assert (first.shape, last.shape) == ((2, 32, 8, 6), (2, 64, 8, 6))
    torch.testing.assert_close(whole.classifier(last.mean((2, 3))), whole(x))


@pytest.mark.parametrize("form", HEAD_FORMS)
def test_logits_have_the_size_of_the_input(form):
    model = tiny(form=form).eval()
    for size in ((32, 32), (29, 45)):
        assert model(torch.randn(2, 3, *size)).shape == (2, 5, *size)
    x = torch.randn(2, 3, 32, 48)
    last = model.backbone(x)[1]
    expected = F.interpolate(model.head(last), (32, 48), mode="bilinear", align_corners=False)
    assert torch.equal(model(x), expected)


def test_an_auxiliary_head_speaks_in_training_alone():
    model = tiny(auxiliary=True)
    x = torch.randn(2, 3, 32, 32)
    outputs = model(x)
    assert {key: value.shape for key, value in outputs.items()} == {
        "out": (2, 5, 32, 32),
        "aux": (2, 5, 32, 32),
    }
    sum(value.mean() for value in outputs.values()).backward()
    assert all(p.grad is not None for p in model.auxiliary_head.parameters())
    assert isinstance(model.eval()(x), torch.Tensor)
    assert isinstance(tiny()(x), torch.Tensor)


def test_the_forms_are_those_published():
    """Layers, in the order in which they run, of a ResNet-50's maps."""

    def layers(form):
        with torch.device("meta"):
            head = SegmentationHead(2048, 19, form=form)
        found = []
        for module in head.modules():
            if isinstance(module, GloreUnit):
                found.append((module.channels, module.states, module.nodes, module.normalize))
            elif isinstance(module, NonLocal2d):
                found.append((module.conv_theta.in_channels, module.conv_theta.out_channels))
        names = [
            f"{layer.kernel_size[0]}x{layer.kernel_size[0]} {layer.in_channels}-{layer.out_channels}"
            for part in head
            for layer in ([part.conv] if hasattr(part, "conv") else [part])
            if isinstance(layer, nn.Conv2d)
        ]
        return names, found, type(head.dropout), head.dropout.p

    two = ["3x3 2048-512", "3x3 512-512", "1x1 512-19"]
    assert layers("fcn") == (two, [], nn.Dropout2d, 0.1)
    assert layers("glore") == (two, [(512, 128, 64, True)], nn.Dropout2d, 0.1)
    assert layers("nonlocal") == (two, [(512, 256)], nn.Dropout2d, 0.1)
    one = ["1x1 2048-512", "1x1 512-19"]
    assert layers("glore_paddleseg") == (one, [(512, 128, 64, False)], nn.Dropout, 0.1)


def test_coarse_logits_are_those_before_scaling():
    torch.manual_seed(0)
    model = build_segmentation("tiny2d", num_classes=4, form="glore", channels=16, auxiliary=True)
    coarse, x = model.eval().with_coarse_logits(), torch.randn(2, 3, 24, 32)
    logits = coarse(x)
    assert logits.shape == (2, 4, 6, 8)
    scaled = nn.functional.interpolate(logits, (24, 32), mode="bilinear")
    assert torch.equal(scaled, model(x))
    assert coarse.head is model.head


@pytest.mark.parametrize("form", ["glore", "nonlocal"])
def test_a_new_unit_starts_as_the_plain_network(form):
    x = torch.randn(2, 3, 32, 32)
    outputs, losses = [], []
    for each in ("fcn", form):
        torch.manual_seed(3)
        model = tiny(form=each, auxiliary=True)
        outputs.append(model.eval()(x))
        losses.append(model.auxiliary_head(model.backbone(x)[0]))
    assert torch.equal(*outputs)
    assert torch.equal(*losses)


def test_head_arguments_out_of_range():
    for arguments, message in (
        ({"form": "unet"}, "form must be one of fcn, glore, glore_paddleseg, nonlocal, got 'unet'"),
        ({"channels": -1}, "channels, nodes and states must be 0 or more"),
        ({"nodes": 4}, "nodes and states are of a GloRe unit, and form is 'fcn'"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1, got 1.0"),
        ({"num_classes": 0}, "num_classes must be at least 1, got 0"),
    ):
        with pytest.raises(ValueError, match=message):
            build_segmentation("tiny2d", **arguments)
    for shape in ((3, 32, 32), (1, 4, 32, 32), (1, 3, 2, 32, 32)):
        with pytest.raises(
            ValueError, match=r"needs pictures \(batch, 3, height, width\), got shape"
        ):
            tiny()(torch.zeros(shape))


def test_classifiers_are_known_and_alone_in_float32_under_autocast():
    model = build_segmentation("tiny2d", num_classes=16, channels=16, auxiliary=True)
    assert head_paths(model) == ("auxiliary_head.classifier", "head.classifier")
    assert head_path(nn.DataParallel(model)) == "module.head.classifier"
    assert head_parts(nn.DataParallel(model)) == ("module.auxiliary_head", "module.head")
    assert head_paths(tiny()) == ("head.classifier",)
    assert head_parts(TinyResNet2d(3)) == ("classifier",)
    with torch.autocast("cpu", torch.bfloat16):
        outputs = model(torch.randn(2, 3, 32, 32))
        last = model.backbone(torch.randn(2, 3, 32, 32))[1]
    assert {value.dtype for value in outputs.values()} == {torch.float32}
    assert last.dtype == torch.bfloat16


def test_units_in_the_backbone():
    model = tiny(form="glore").eval()
    assert stage_blocks(model) == [
        [["backbone.stage1.0", "backbone.stage1.1"]],
        [["backbone.stage2.0"]],
    ]
    x = torch.randn(1, 3, 32, 32)
    before = model(x)
    insert_glore(model, after=["backbone.stage1.*"])
    torch.testing.assert_close(model(x), before)
    assert list(glore_units(model)) == [
        "backbone.stage1.0.glore",
        "backbone.stage1.1.glore",
        "head.glore",
    ]
    spoilt(model)
    assert not torch.allclose(model(x), before)
    zero_init_units(model)
    remove_glore(model, after=["backbone.stage1.0", "backbone.stage1.1"])
    assert list(glore_units(model)) == ["head.glore"]


def test_a_file_of_another_number_of_classes():
    model = tiny(form="glore", auxiliary=True)
    stored = build_segmentation("tiny2d", num_classes=7, form="glore", auxiliary=True).state_dict()
    with pytest.raises(UnfitWeightsError, match=r"allow=\['head'\] would accept") as refusal:
        load_weights(model, stored)
    assert refusal.value.classes == 7
    report = load_weights(model, stored, allow=["head"])
    assert {key.rpartition(".")[0] for key in report.newly_initialised} == {*head_paths(model)}
    assert torch.equal(model.head.first.conv.weight, stored["head.first.conv.weight"])


@pytest.mark.parametrize("name", [SMALL, "timm/convnext_atto", "tiny2d"])
def test_a_classifier_s_file_fills_the_backbone(name):
    host = TinyResNet2d(3) if name == "tiny2d" else of_timm(name.removeprefix("timm/"))
    model = build_segmentation(name, num_classes=5, form="glore")
    before = copy.deepcopy(model.head.state_dict())
    with pytest.raises(UnfitWeightsError, match="missing: head"):
        load_weights(model, host.state_dict())
    report = load_weights(model, host.state_dict(), allow=["head", "units"])
    assert report.format == "the backbone's classifier"
    assert report.beside
    assert not report.unexpected
    assert {report.group(key) for key in report.newly_initialised} == {"head", "units"}
    of_host = list(host.state_dict().values())
    for key, value in model.backbone.state_dict().items():
        assert any(value.shape == own.shape and torch.equal(value, own) for own in of_host), key
    assert all(torch.equal(before[key], value) for key, value in model.head.state_dict().items())


def test_a_deeper_classifier_s_file_is_refused():
    deeper = of_timm("resnet18").state_dict()
    model = build_segmentation("timm/resnet10t", num_classes=5)
    with pytest.raises(UnfitWeightsError, match="does not fit the network"):
        load_weights(model, deeper, allow=["head"])


@pytest.mark.parametrize(
    "form",
    [
        form if form == "glore" else pytest.param(form, marks=pytest.mark.slow)
        for form in HEAD_FORMS
    ],
)
def test_fused_exported_and_copied_alike(form, tmp_path):
    model = spoilt(tiny(form=form, auxiliary=True)).eval()
    x = torch.randn(2, 3, 24, 32)
    with torch.no_grad():
        expected = model(x)
        fused = fuse_for_inference(model)
        torch.testing.assert_close(fused(x), expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(copy.deepcopy(model)(x), expected)
    norms = [p for p, m in fused.head.named_modules() if isinstance(m, nn.BatchNorm2d)]
    assert not norms
    export_network(model, x[:1], tmp_path / "network.pt2", format="pt2")
    again = load_exported(tmp_path / "network.pt2", format="pt2")
    torch.testing.assert_close(again(x), expected, rtol=1e-4, atol=1e-5)


def test_multiply_adds_of_a_head():
    """By hand: convolutions at a quarter of the size, and two multiply-adds a number of batch norms."""
    model = tiny(form="fcn").eval()
    positions = 8 * 16
    with_unit, plain = (
        count_complexity(each, (3, 32, 64)) for each in (tiny(form="glore").eval(), model)
    )
    convs = positions * (9 * 64 * 16 + 9 * 16 * 16 + 16 * 5)
    norms = 2 * 2 * 16 * positions
    assert plain.parts["head"].gmacs * 1e9 == pytest.approx(convs + norms)
    assert with_unit.units.parameters == sum(
        p.numel() for p in GloreUnit(16, 2, 4, dimension=2).parameters()
    )
    assert with_unit.units.gmacs > 0
    assert not plain.skipped_ops


def test_by_name():
    pytest.importorskip("timm", reason="timm is not installed")
    with torch.device("meta"):
        model = create_model("glore_paddleseg_resnet50", num_classes=4, glore_units=(0, 3))
    assert len(glore_units(model)) == 4
    assert model.head.classifier.out_channels == 4
    assert model.auxiliary_head.first.conv.out_channels == 256
    with pytest.raises(ValueError, match="unknown model 'glore_fcn_resnet5'.*glore_fcn_resnet50"):
        create_model("glore_fcn_resnet5")


def test_what_is_known_by_name():
    pytest.importorskip("timm", reason="timm is not installed")
    info = network_info("glore_fcn_resnet101")
    assert (info.input_shape, info.takes_clips) == ((3, 512, 1024), False)
    assert info.mean == network_info("timm/resnet101").mean


@pytest.mark.parametrize("form", ["glore", "glore_paddleseg"])
def test_whether_the_heads_unit_divides_is_its_forms_matter(form, tmp_path):
    """Not that of GLORE.NORMALIZE, which a run's checkpoint notes and which units elsewhere follow."""
    model = insert_glore(tiny(form=form), after=["backbone.stage1.1"])
    state = spoilt(model).state_dict()
    config = {"GLORE": {"NORMALIZE": True}}
    torch.save({"model_state": state, "config": config}, tmp_path / "run.pyth")
    save_weights(model, tmp_path / "saved.pth")
    for name in ("run.pyth", "saved.pth"):
        again = insert_glore(tiny(form=form), after=["backbone.stage1.1"])
        load_weights(again, tmp_path / name)
        assert again.head.glore.normalize == (form == "glore")
        other = insert_glore(tiny(form=form), after=["backbone.stage1.1"], normalize=False)
        with pytest.raises(UnfitWeightsError, match="unlike backbone.stage1.1.glore"):
            load_weights(other, tmp_path / name)
