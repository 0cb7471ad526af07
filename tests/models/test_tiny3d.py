import pytest
import torch

from glore_video.models.networks.tiny import TinyResNet3d


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
