import importlib.util

import pytest
import torch
import torchvision
from torch import nn

from glore_video.errors import UsageError
from glore_video.inspection import grad_cam
from glore_video.models import TinyResNet3d, insert_glore


class Hand(nn.Module):
    """Two channels that are averaged; class 0 likes the first and dislikes the second."""

    def __init__(self):
        super().__init__()
        self.features = nn.Identity()
        self.head = nn.Linear(2, 2, bias=False)
        with torch.no_grad():
            self.head.weight.copy_(torch.tensor([[1.0, -1.0], [0.0, 3.0]]))

    def forward(self, x):
        return self.head(self.features(x).flatten(2).mean(2))


def test_hand_set():
    clip = torch.zeros(1, 2, 1, 2, 2)
    clip[0, 0, 0, 0, 1] = 8.0  # for class 0
    clip[0, 1, 0, 1, 0] = 4.0  # against it
    # Each weight is dlogit / dX = ±1 / 4 at every position.
    assert grad_cam(Hand(), clip, layer="features", target=0).tolist() == [[[0, 2.0], [0, 0]]]
    assert grad_cam(Hand(), clip, layer="features", target=1).tolist() == [[[0, 0], [3.0, 0]]]
    assert grad_cam(Hand(), clip, layer="features").tolist() == [[[0, 0], [3.0, 0]]]


def test_hand_set_in_two_dimensions():
    picture = torch.zeros(1, 2, 2, 2)
    picture[0, 0, 0, 1] = 8.0
    assert grad_cam(Hand(), picture, layer="features", target=0).tolist() == [[0, 2.0], [0, 0]]


class Tokens(Hand):
    """The same of (batch, tokens, channels)."""

    def forward(self, x):
        return self.head(self.features(x).mean(1))


def test_hand_set_tokens():
    tokens = torch.tensor([[[8.0, 0.0], [0.0, 4.0], [1.0, 1.0]]])  # (1, 3, 2)
    cam = grad_cam(Tokens(), tokens, layer="features", target=0, layout="channels_last")
    torch.testing.assert_close(cam, torch.tensor([8.0, 0.0, 0.0]) / 3)


class Segmentation(nn.Module):
    """Class 0 likes channel 0 and dislikes channel 1, at each pixel; outputs as torchvision's."""

    def __init__(self):
        super().__init__()
        self.features = nn.Identity()
        self.head = nn.Conv2d(2, 2, 1, bias=False)
        with torch.no_grad():
            self.head.weight.copy_(torch.tensor([[1.0, -1.0], [0.0, 3.0]])[..., None, None])

    def forward(self, x):
        return {"out": self.head(self.features(x))}


def test_pixels_of_a_class():
    picture = torch.zeros(1, 2, 2, 2)
    picture[0, 0, 0, 1] = 8.0
    picture[0, 1, 1, 0] = 4.0
    where = torch.tensor([[True, True], [False, False]])

    def upper_half(number):
        return lambda outputs: outputs["out"][0, number][where].sum()

    # Two of four positions count, each with weight 1 or -1, or with 3 for the second class.
    cam = grad_cam(Segmentation(), picture, layer="features", target=upper_half(0))
    assert cam.tolist() == [[0, 4.0], [0, 0]]
    cam = grad_cam(Segmentation(), picture, layer="features", target=upper_half(1))
    assert cam.tolist() == [[0, 0], [6.0, 0]]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (None, "must return \\(1, classes\\), got dict: give a function of it as target"),
        (lambda outputs: outputs["out"], "a tensor of one number, got shape \\(1, 2, 2, 2\\)"),
        (lambda outputs: 3.0, "a tensor of one number, got 3.0"),
        (lambda outputs: outputs["out"].sum() / 0, "a number that is not finite"),
    ],
)
def test_wrong_targets(target, message):
    with pytest.raises(UsageError, match=message):
        grad_cam(Segmentation(), torch.zeros(1, 2, 2, 2), layer="features", target=target)


def test_a_transformer_has_a_default_layer():
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    model = timm.create_model("vit_tiny_patch16_224", depth=3, num_classes=3, img_size=64)
    picture = torch.randn(1, 3, 64, 64)
    cam = grad_cam(model, picture, target=1)
    assert cam.shape == (17,)  # the class token and 4 x 4 patches
    assert torch.equal(cam, grad_cam(model, picture, target=1, layer="blocks.1"))
    assert (cam[1:] > 0).any()
    # The head reads the class token alone: nothing of the patches is left in the last block.
    last = []
    hook = model.blocks[2].register_forward_hook(lambda *args: last.append(args[2]))
    model.eval()(picture)[0, 1].backward(inputs=last)
    hook.remove()
    assert not last[0].grad[:, 1:].any()


def test_network_stays_as_it_was():
    net = TinyResNet3d(3, widths=(4, 8, 8)).train()
    insert_glore(net, after=["stage2.0"])
    before = {key: value.clone() for key, value in net.state_dict().items()}
    cam = grad_cam(net, torch.randn(1, 3, 2, 16, 16))
    assert cam.shape == (2, 4, 4)
    assert (cam >= 0).all()
    assert net.training
    assert all(p.grad is None for p in net.parameters())
    torch.testing.assert_close(net.state_dict(), before, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("layer", "message"),
    [("nothing", "the network has no layer 'nothing'"), ("head", "returns no feature map")],
)
def test_wrong_layers(layer, message):
    with pytest.raises(ValueError, match=message):
        grad_cam(Hand(), torch.zeros(1, 2, 1, 2, 2), layer=layer)


@pytest.mark.skipif(
    importlib.util.find_spec("pytorch_grad_cam") is None, reason="grad-cam is not installed"
)
def test_equals_the_library():
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    torch.manual_seed(0)
    net = TinyResNet3d(3, widths=(4, 8, 8)).eval()
    clip = torch.randn(1, 3, 4, 16, 16)
    ours = grad_cam(net, clip, layer="stage2.0", target=1)
    library = GradCAM(net, [net.stage2[0]])
    target = [ClassifierOutputTarget(1)]
    library.forward(clip, target)
    kept = library.activations_and_grads
    features, gradient = (each[0].numpy() for each in (kept.activations, kept.gradients))
    theirs = library.get_cam_image(clip, net.stage2[0], target, features, gradient, False)
    torch.testing.assert_close(ours, torch.from_numpy(theirs[0]).relu(), rtol=1e-4, atol=1e-6)


def test_a_network_of_another_package_has_a_default_layer():
    model = torchvision.models.video.r3d_18(num_classes=3).eval()
    clip = torch.randn(1, 3, 4, 64, 64)
    expected = grad_cam(model, clip, layer="layer4.1", target=1)
    assert torch.equal(grad_cam(model, clip, target=1), expected)
    with pytest.raises(UsageError, match="no layer is known to return a feature map"):
        grad_cam(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 3)), torch.ones(1, 12))
