"""Units in networks that other packages build, and under DistributedDataParallel."""

import warnings

import pytest
import torch
import torchvision
from torch import distributed, nn

from glore_video.models.deployment.complexity import count_complexity
from glore_video.models.networks.backbones import resnet
from glore_video.models.networks.inserted_units import glore_units, inserted_units
from glore_video.models.networks.insertion import insert_glore
from glore_video.models.networks.tiny import TinyResNet3d
from glore_video.models.weights.loading import load_weights
from glore_video.models.zoo import create_model


def hub(name: str) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pytorchvideo.models import hub

    return getattr(hub, name)()


@pytest.mark.parametrize("name", ["c2d_r50", "i3d_r50", "slow_r50", "slowfast_r50"])
@pytest.mark.parametrize(
    "kind", ["glore_", *(pytest.param(k, marks=pytest.mark.slow) for k in ("", "nonlocal_"))]
)
def test_every_key_of_the_hub_models_is_matched(name, kind):
    with torch.device("meta"):
        state = hub(name).state_dict()
        model = create_model(f"{kind}{name}")
    allow = ["units"] if kind else []
    with warnings.catch_warnings():
        # Meta tensors cannot be copied, which the check of the keys does not need.
        warnings.simplefilter("ignore")
        report = load_weights(model, dict(state), allow=allow)
    counters = [key for key in state if key.endswith("num_batches_tracked")]
    assert len(report.loaded) == len(state)
    assert counters
    assert not report.unexpected
    units = tuple(f"{path}." for path in inserted_units(model))
    assert len(units) == (5 if kind else 0)
    assert all(key.startswith(units) for key in report.newly_initialised)


@pytest.mark.slow
def test_hub_weights_with_units_give_the_same_output_to_the_bit():
    source = hub("slow_r50")
    torch.manual_seed(0)
    for key, value in source.state_dict().items():
        if key.endswith("running_mean"):
            nn.init.normal_(value, std=0.1)
        elif key.endswith(("norm_a.weight", "norm_b.weight", "norm_c.weight")):
            nn.init.uniform_(value, 0.2, 0.5)
    plain = resnet("slow")
    load_weights(plain, source.state_dict())
    model = create_model("glore_slow_r50")
    load_weights(model, source.state_dict(), allow=["units"])
    clip = torch.randn(1, 3, 8, 64, 64)
    with torch.no_grad():
        expected = plain.eval()(clip)
        assert torch.equal(model.eval()(clip), expected)
        # The hub's head pools (8, 7, 7) positions at once, ours all there are.
        source.blocks[-1].pool = nn.AdaptiveAvgPool3d(1)
        torch.testing.assert_close(source.eval()(clip), expected)
        insert_glore(source, after=["blocks.2.res_blocks.0"])
        torch.testing.assert_close(source(clip), expected)
    nn.init.ones_(model.blocks[2].res_blocks[0].glore.blocker.weight)
    with torch.no_grad():
        assert not torch.equal(model(clip), expected)


# DistributedDataParallel remarks on the layout of 1x1x1 kernels' gradients.
@pytest.mark.filterwarnings("ignore:Grad strides do not match")
def test_units_learn_under_ddp(tmp_path):
    torch.manual_seed(0)
    model = insert_glore(TinyResNet3d(3, widths=(4, 8, 8)), after=["stage1.0", "stage2.0"])
    distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path}/rendezvous", rank=0, world_size=1
    )
    try:
        parallel = nn.parallel.DistributedDataParallel(model)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(2):
            optimizer.zero_grad()
            parallel(torch.randn(2, 3, 2, 16, 16)).square().sum().backward()
            optimizer.step()
        state = parallel.state_dict()
    finally:
        distributed.destroy_process_group()
    for path, unit in glore_units(model).items():
        assert unit.blocker.weight.abs().max() > 0, path
        assert unit.conv_proj.weight.grad.abs().max() > 0, path
    other = insert_glore(TinyResNet3d(3, widths=(4, 8, 8)), after=["stage1.0", "stage2.0"])
    load_weights(other, state)
    assert torch.equal(other.stage2[0].glore.blocker.weight, model.stage2[0].glore.blocker.weight)


def test_timm_network_with_a_unit_is_copied_saved_and_counted(tmp_path):
    timm = pytest.importorskip("timm", reason="timm is not installed")
    model = timm.create_model("resnet18", num_classes=4).eval()
    plain = count_complexity(model, (3, 64, 64))
    insert_glore(model, after=["layer2.1"])
    nn.init.normal_(model.layer2[1].glore.blocker.weight)
    image = torch.randn(1, 3, 64, 64)
    expected = model(image)
    torch.save(model, tmp_path / "model.pt")
    assert torch.equal(torch.load(tmp_path / "model.pt", weights_only=False)(image), expected)
    cost = count_complexity(model, (3, 64, 64))
    assert cost.gmacs - plain.gmacs == pytest.approx(cost.units.gmacs)
    assert cost.units.gmacs > 0


def test_a_block_that_ends_with_a_concatenation_needs_an_example():
    model = insert_glore(torchvision.models.squeezenet1_0(), after=["features.5"])
    with pytest.raises(
        ValueError, match=r"after a Fire was made for 128 channels.*\(1, 256,.*an example input"
    ):
        model(torch.randn(1, 3, 64, 64))
