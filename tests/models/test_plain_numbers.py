"""numpy's numbers in layers become Python's: pytorchvideo networks that a user built compile and export."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from glore_video.models import insert_glore, insert_nonlocal
from glore_video.models.networks.plain_numbers import make_numbers_plain


def numpy_settings(model):
    """Attributes of layers in which numpy numbers are, as far down as tuples and lists go."""

    def has(value):
        return isinstance(value, np.generic) or (
            isinstance(value, tuple | list) and any(map(has, value))
        )

    return [
        f"{path}.{name}"
        for path, module in model.named_modules()
        for name, value in vars(module).items()
        if has(value)
    ]


def test_every_place_and_kind():
    layer = nn.Conv2d(2, 2, 1)
    layer.stride = (np.int64(1), np.int32(2))
    layer.settings = {"sizes": [np.int64(3), (np.float32(0.5), "same")], "flag": np.bool_(True)}
    kept = layer.dilation
    make_numbers_plain(nn.Sequential(layer))
    assert layer.stride == (1, 2)
    assert [type(each) for each in layer.stride] == [int, int]
    assert layer.settings == {"sizes": [3, (0.5, "same")], "flag": True}
    assert type(layer.settings["flag"]) is bool
    assert layer.dilation is kept


def build(kind):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pytorchvideo.models import csn, r2plus1d, resnet, slowfast, x3d
    tiny = {"model_depth": 50, "model_num_class": 3, "stem_dim_out": 8}
    if kind == "resnet":
        return resnet.create_resnet(**tiny, head_pool_kernel_size=(4, 2, 2))
    if kind == "csn":
        return csn.create_csn(**tiny, head_pool_kernel_size=(1, 2, 2))
    if kind == "r2plus1d":
        return r2plus1d.create_r2plus1d(**tiny, head_pool_kernel_size=(1, 2, 2))
    if kind == "x3d":
        return x3d.create_x3d(input_clip_length=4, input_crop_size=64, model_num_class=3)
    return slowfast.create_slowfast(
        model_num_class=3,
        slowfast_fusion_conv_stride=(4, 1, 1),
        slowfast_channel_reduction_ratio=(8,),
        head_pool_kernel_sizes=((2, 2, 2), (8, 2, 2)),
    )


def clip_of(kind):
    if kind == "slowfast":  # whose forward pass changes the list that it is given
        return [torch.ones(2, 3, 2, 64, 64), torch.ones(2, 3, 8, 64, 64)]
    return torch.ones(2, 3, 8 if kind in ("csn", "r2plus1d") else 4, 64, 64)


BLOCKS = {"slowfast": "blocks.2.multipathway_blocks.0.res_blocks.0"}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["resnet", "slowfast", "x3d", "csn", "r2plus1d"])
def test_networks_of_pytorchvideo_compile_and_export(kind):
    model = build(kind).eval()
    assert numpy_settings(model)
    with torch.no_grad():
        expected = model(clip_of(kind))
        insert_glore(model, after=[BLOCKS.get(kind, "blocks.2.res_blocks.0")])
        assert not numpy_settings(model)
        assert torch.equal(model(clip_of(kind)), expected)
        torch.compiler.reset()
        compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
        torch.testing.assert_close(compiled(clip_of(kind)), expected)
        exported = torch.export.export(model, (clip_of(kind),)).module()
        torch.testing.assert_close(exported(clip_of(kind)), expected)


def test_both_ways_to_insert_do_it():
    for insert in (insert_glore, insert_nonlocal):
        model = build("resnet")
        insert(model, after=["blocks.2.res_blocks.0"])
        assert not numpy_settings(model)
