import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glore_video.models.networks.backbones import resnet
from glore_video.models.networks.preact_resnet3d import PreactResNet3d
from glore_video.models.weights.inflation import inflate
from glore_video.models.weights.loading import load_weights


def test_a_kernel_by_hand():
    own = {"a": torch.zeros(1, 1, 3, 1, 2), "b": torch.zeros(2), "c": torch.zeros(1, 1, 1, 3, 3)}
    state = {
        "a": torch.tensor([[[[3.0, 6.0]]]]),
        "b": torch.ones(2),
        "c": torch.ones(1, 1, 2, 2),
        "d": torch.ones(1, 1, 1, 1),
    }
    found = inflate(state, own)
    assert list(found) == ["a"]
    assert found["a"].tolist() == [[[[[1, 2]], [[1, 2]], [[1, 2]]]]]


def randomise(state: dict[str, Tensor]) -> None:
    torch.manual_seed(0)
    for key, value in state.items():
        if key.endswith("running_mean"):
            nn.init.normal_(value, std=0.1)
        elif value.dim() == 1 and value.is_floating_point():
            nn.init.uniform_(value, 0.5, 1)
        elif value.dim() > 1:
            nn.init.kaiming_normal_(value)


def middle_features(network: nn.Module, last: nn.Module, frame: Tensor, frames: int) -> Tensor:
    """What `last` gives for the frame in the middle of a video of one repeated frame."""
    features = []
    hook = last.register_forward_hook(lambda module, inputs, output: features.append(output))
    with torch.no_grad():
        network.eval()(frame.unsqueeze(2).expand(-1, -1, frames, -1, -1))
    hook.remove()
    return features[0][:, :, features[0].shape[2] // 2]


# Frames from the middle that temporal kernels reach, pools included: 9 of them at 3 frames in
# slow, two stages of them after a halving in i3d.
@pytest.mark.slow
@pytest.mark.parametrize(("arch", "frames"), [("slow", 21), ("i3d", 56)])
def test_torchvision_resnet50_on_a_repeated_frame(arch, frames):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torchvision.models import resnet50
    image_network = resnet50(num_classes=7).eval()
    randomise(image_network.state_dict())
    network = resnet(arch, num_classes=7)
    report = load_weights(network, image_network.state_dict())
    assert report.format == "2D ResNet of torchvision or timm"
    assert len(report.inflated) == 53
    assert not report.newly_initialised
    network.double()
    image_network.double()  # so that fifty layers of rounding tell nothing
    frame = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    head = next(b for b in network.blocks if hasattr(b, "proj"))
    stages = [b for b in network.blocks if hasattr(b, "res_blocks")]
    found = middle_features(network, stages[-1], frame, frames)
    expected = []
    image_network.layer4.register_forward_hook(lambda m, i, output: expected.append(output))
    with torch.no_grad():
        logits = image_network(frame)
    torch.testing.assert_close(found, expected[0], rtol=1e-3, atol=1e-4)
    pooled = F.linear(found.mean((2, 3)), head.proj.weight, head.proj.bias)
    torch.testing.assert_close(pooled, logits, rtol=1e-3, atol=1e-4)


def test_timm_names_are_those_of_torchvision():
    timm = pytest.importorskip("timm", reason="timm is not installed")
    with torch.device("meta"):
        keys = timm.create_model("resnet50", num_classes=7).state_dict()
        network = resnet("slow", num_classes=7)
    from glore_video.models.weights.files import StoredWeights
    from glore_video.models.weights.foreign_keys import to_our_keys

    ours = to_our_keys(StoredWeights("file", dict(keys)), network).state
    assert set(ours) == set(network.state_dict())


def preact_2d(state: dict[str, Tensor], x: Tensor) -> Tensor:
    """The 2D network that resnet50-lite.pth is of, in functions; features before the average."""

    def norm(x: Tensor, name: str) -> Tensor:
        mean, var = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        return F.relu(
            F.batch_norm(x, mean, var, state[f"{name}.weight"], state[f"{name}.bias"], eps=1e-4)
        )

    def layer(x: Tensor, name: str, stride: int = 1) -> Tensor:
        kernel = state[f"{name}.conv.weight"]
        padding = kernel.shape[-1] // 2
        return F.conv2d(norm(x, f"{name}.bn"), kernel, stride=stride, padding=padding)

    x = F.conv2d(x, state["conv1.conv.weight"], stride=2, padding=2)
    x = F.max_pool2d(norm(x, "conv1.bn"), 3, stride=2, padding=1)
    for stage, blocks in ((2, 3), (3, 4), (4, 6), (5, 3)):
        for number in range(1, blocks + 1):
            block = f"conv{stage}.B{number:02d}"
            stride = 2 if number == 1 and stage > 2 else 1
            y = layer(layer(x, f"{block}.conv_m1"), f"{block}.conv_m2", stride)
            y = layer(y, f"{block}.conv_m3")
            x = y + (layer(x, f"{block}.conv_w1", stride) if number == 1 else x)
    return norm(x, "tail.bn")


@pytest.mark.slow
def test_the_published_2d_network_on_a_repeated_frame(tmp_path):
    network = PreactResNet3d(50, num_classes=5)
    state = {
        key: value[:, :, 0].clone() if value.dim() == 5 else value.clone()
        for key, value in network.state_dict().items()
        if not key.startswith("classifier")
    }
    randomise(state)
    state |= {"classifier.weight": torch.zeros(1000, 2048), "classifier.bias": torch.zeros(1000)}
    torch.save(state, tmp_path / "resnet50-lite.pth")
    with pytest.raises(ValueError, match=r"classifier.weight is \(1000, 2048\), needs \(5, 2048\)"):
        load_weights(network, tmp_path / "resnet50-lite.pth")
    report = load_weights(network, tmp_path / "resnet50-lite.pth", allow=["head"])
    # The stem, three convolutions in each of 16 blocks, four projections.
    assert len(report.inflated) == 1 + 3 * 16 + 4
    assert report.newly_initialised == ["classifier.weight", "classifier.bias"]
    network.double()
    state = {key: value.double() for key, value in state.items()}
    frame = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    found = middle_features(network, network.tail, frame, 44)
    torch.testing.assert_close(found, preact_2d(state, frame), rtol=1e-3, atol=1e-4)
    at_the_end = middle_features(network, network.tail, frame, 2)
    assert not torch.allclose(at_the_end, found, rtol=1e-1)
