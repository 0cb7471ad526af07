import pytest
import torch

from glore_video.models.networks.tiny import TinyResNet2d, TinyResNet3d


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(2, 3, 6, 48, 48), (2, 3, 1, 17, 30)])
def test_any_size_gives_one_row_of_logits_a_clip(shape, training):
    assert TinyResNet3d(7).train(training)(torch.randn(shape)).shape == (2, 7)


def test_a_feature_sees_15_pixels_and_7_frames():
    torch.manual_seed(0)
    model = TinyResNet3d(2).eval()
    clip = torch.rand(1, 3, 15, 96, 96, requires_grad=True)
    features = model.stage2(model.stage1(model.stem(clip)))
    assert features.shape == (1, 64, 15, 24, 24)
    (gradient,) = torch.autograd.grad(features[0, :, 7, 12, 12].sum(), clip)
    seen = gradient.abs().sum(dim=(0, 1)).nonzero()
    assert (seen.max(dim=0).values - seen.min(dim=0).values + 1).tolist() == [7, 15, 15]


def test_logits_are_the_mean_over_positions():
    model = TinyResNet3d(4).eval()
    clip = torch.randn(1, 3, 2, 24, 40)
    features = model.stage2(model.stage1(model.stem(clip)))
    per_position = model.classifier(features.movedim(1, -1))
    torch.testing.assert_close(model(clip), per_position.mean(dim=(1, 2, 3)))


def test_widths_must_be_three():
    with pytest.raises(ValueError, match=r"widths must be three numbers, got \(8, 16\)"):
        TinyResNet3d(2, widths=(8, 16))


@pytest.mark.parametrize("training", [True, False])
def test_pictures_of_any_size(training):
    model = TinyResNet2d(7).train(training)
    assert model(torch.randn(2, 3, 48, 31)).shape == (2, 7)


def test_a_feature_of_a_picture_sees_15_pixels():
    torch.manual_seed(0)
    model = TinyResNet2d(2).eval()
    picture = torch.rand(1, 3, 96, 96, requires_grad=True)
    features = model.stage2(model.stage1(model.stem(picture)))
    assert features.shape == (1, 64, 24, 24)
    (gradient,) = torch.autograd.grad(features[0, :, 12, 12].sum(), picture)
    seen = gradient.abs().sum(dim=(0, 1)).nonzero()
    assert (seen.max(dim=0).values - seen.min(dim=0).values + 1).tolist() == [15, 15]


def test_a_picture_is_a_clip_of_one_frame():
    """Of one frame, whose neighbours are padding, 3D kernels use their middle alone."""
    torch.manual_seed(0)
    flat, solid = TinyResNet2d(3).double().eval(), TinyResNet3d(3).double().eval()
    state = {
        name: value[:, :, value.shape[2] // 2] if value.dim() == 5 else value
        for name, value in solid.state_dict().items()
    }
    flat.load_state_dict(state)
    picture = torch.rand(2, 3, 20, 24, dtype=torch.float64)
    torch.testing.assert_close(flat(picture), solid(picture[:, :, None]), rtol=1e-12, atol=1e-12)
