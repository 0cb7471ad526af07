import pytest
import torch
from torch import nn

from glore_video.models.deployment.conv_bn_fusion import fuse_for_inference
from glore_video.models.deployment.export import export_network, load_exported
from glore_video.models.named_info import network_info
from glore_video.models.networks.backbones import slow_frames
from glore_video.models.networks.inserted_units import inserted_units
from glore_video.models.networks.insertion import insert_glore
from glore_video.models.networks.tiny import TinyResNet2d, TinyResNet3d
from glore_video.models.segmentation import build_segmentation
from glore_video.models.units.glore_unit import GloreUnit
from glore_video.models.zoo import create_model

# Every backbone, and every kind of unit, once: others are made of the same layers, and take minutes.
NETWORKS = (
    *("glore_r50_8x8", "preact_resnet50_2d", "glore_i3d_r50", "glore_slowfast_r50"),
    *("nonlocal_c2d_r50", "nonlocal_slow_r50"),
)


def small_network():
    torch.manual_seed(0)
    model = insert_glore(TinyResNet3d(5), after=["stage1.0", "stage2.0"], nodes=4, states=6)
    return with_active_units(model)


def with_active_units(model):
    for unit in inserted_units(model).values():
        last = unit.blocker if isinstance(unit, GloreUnit) else unit.norm
        nn.init.ones_(last.weight)
    return model.eval()


def check(model, path, clips, *, format, batches=(1, 3)):
    """The file gives the network's logits, for numbers of clips that it was not made with."""
    export_network(model, clips(2), path, format=format)
    exported = load_exported(path, format=format)
    for batch in batches:
        example = clips(batch)
        with torch.no_grad():
            expected, got = model(example), exported(example)
        assert got.shape == expected.shape
        assert (got - expected).norm() < 1e-5 * expected.norm()


@pytest.mark.parametrize("fused", [False, True])
def test_torch_export(tmp_path, fused):
    model = small_network()
    if fused:  # and with weights in the other memory format
        model = fuse_for_inference(model).to(memory_format=torch.channels_last_3d)
    check(model, tmp_path / "a.pt2", lambda n: torch.randn(n, 3, 4, 32, 32), format="pt2")


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.pt2"
    path.write_bytes(b"old")

    def save(program, file):
        file.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch.export, "save", save)
    with pytest.raises(KeyboardInterrupt):
        export_network(small_network(), torch.zeros(1, 3, 4, 32, 32), path, format="pt2")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_one_clip_is_no_fixed_batch(tmp_path):
    model = small_network()
    export_network(model, torch.zeros(1, 3, 4, 32, 32), tmp_path / "a.pt2", format="pt2")
    exported = load_exported(tmp_path / "a.pt2", format="pt2")
    assert exported(torch.zeros(5, 3, 4, 32, 32)).shape == (5, 5)


@pytest.mark.slow
def test_onnx_of_a_small_network(tmp_path):
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    path = tmp_path / "a.onnx"
    check(small_network(), path, lambda n: torch.randn(n, 3, 4, 32, 32), format="onnx")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert [entry.name for entry in session.get_inputs()] == ["clips"]
    assert [entry.name for entry in session.get_outputs()] == ["logits"]
    assert [p.name for p in tmp_path.iterdir()] == ["a.onnx"]


@pytest.mark.slow
def test_aot_inductor_package(tmp_path):
    clips = lambda n: torch.randn(n, 3, 4, 32, 32)  # noqa: E731
    model = fuse_for_inference(small_network()).to(memory_format=torch.channels_last_3d)
    check(model, tmp_path / "a.pt2", clips, format="aoti")
    weight = model.stem[0].weight
    assert weight.is_contiguous(memory_format=torch.channels_last_3d), "the network was changed"
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt2"]


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_onnx_of_every_backbone(tmp_path, name):
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    model = fuse_for_inference(with_active_units(create_model(name, num_classes=7)))

    frames = (8,) if network_info(name).takes_clips else ()

    def inputs(batch):
        shown = torch.randn(batch, 3, *frames, 64, 64)
        return [slow_frames(shown, 4), shown] if "slowfast" in name else shown

    check(model, tmp_path / "a.onnx", inputs, format="onnx")


def test_errors(tmp_path, monkeypatch):
    model = small_network()
    clips = torch.zeros(1, 3, 4, 32, 32)
    with pytest.raises(ValueError, match="one of 'onnx', 'pt2', 'aoti', got 'tflite'"):
        export_network(model, clips, tmp_path / "a", format="tflite")
    with pytest.raises(ValueError, match=r"eval mode.*call model.eval\(\)"):
        export_network(model.train(), clips, tmp_path / "a", format="pt2")
    with pytest.raises(FileNotFoundError, match="no such file: .*a.onnx"):
        load_exported(tmp_path / "a.onnx", format="onnx")
    with pytest.raises(ValueError, match=r"packages end with .pt2, got '.aoti'"):
        export_network(model.eval(), clips, tmp_path / "a.aoti", format="aoti")
    with pytest.raises(FileNotFoundError, match="no such folder: .*nowhere"):
        export_network(model, clips, tmp_path / "nowhere" / "a.pt2", format="pt2")
    monkeypatch.setattr("glore_video.models.deployment.export.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="need onnx and onnxscript: pip install"):
        export_network(model.eval(), clips, tmp_path / "a.onnx", format="onnx")


def needs(format):
    if format == "onnx":
        for name in ("onnx", "onnx_ir", "onnxscript", "onnxruntime"):
            pytest.importorskip(name)


@pytest.mark.parametrize("format", ["pt2", pytest.param("onnx", marks=pytest.mark.slow)])
@pytest.mark.parametrize("form", ["glore", "nonlocal"])
def test_networks_for_segmentation(tmp_path, form, format):
    needs(format)
    torch.manual_seed(0)
    model = build_segmentation("tiny2d", num_classes=5, form=form, channels=16)
    nn.init.normal_(model.head.classifier.weight)
    model = fuse_for_inference(with_active_units(model))
    check(model, tmp_path / "a", lambda batch: torch.randn(batch, 3, 48, 64), format=format)


@pytest.mark.parametrize("format", ["pt2", pytest.param("onnx", marks=pytest.mark.slow)])
def test_networks_for_pictures(tmp_path, format):
    needs(format)
    torch.manual_seed(0)
    model = with_active_units(insert_glore(TinyResNet2d(5), after=["stage1.0"], nodes=4, states=6))
    path = tmp_path / f"a b.{format}"
    check(model, path, lambda batch: torch.randn(batch, 3, 40, 32), format=format)
    if format == "onnx":
        session = pytest.importorskip("onnxruntime").InferenceSession(str(path))
        assert [entry.name for entry in session.get_inputs()] == ["pictures"]
        assert session.get_inputs()[0].shape[1:] == [3, 40, 32]
