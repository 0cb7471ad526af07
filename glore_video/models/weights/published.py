"""Published weights and figures of the networks in the zoo, each with its source.

Accuracies are percent on the validation videos of Kinetics-400, as published; none of them was
measured with this package.
"""

from __future__ import annotations

from dataclasses import dataclass

from glore_video.errors import UsageError

_GLORE = "https://dl.fbaipublicfiles.com/glore/kinetics"
_PYTORCHVIDEO = "https://dl.fbaipublicfiles.com/pytorchvideo/model_zoo/kinetics"
_SLOWFAST = "https://dl.fbaipublicfiles.com/pyslowfast/model_zoo/kinetics400"


@dataclass(frozen=True)
class Published:
    """What is published about a network.

    Attributes:
        url: its weights on Kinetics-400.
        source: who published them.
        top1, top5: percent.
        views: clips x crops of a video that these were measured with.
        crop: height and width in pixels that they and gmacs were measured at.
        frames: frames of the input clip (SlowFast: of the fast pathway).
        gmacs: 1e9 multiply-adds a view, where published.
        parameters: millions, where published.
    """

    url: str
    source: str
    top1: float
    top5: float
    views: int
    crop: int
    frames: int
    gmacs: float | None = None
    parameters: float | None = None


PUBLISHED: dict[str, Published] = {
    "glore_r50_8x8": Published(
        f"{_GLORE}/resnet50-lite_3d_8x8_w-glore_2-3_ep-0000.pth",
        "GloRe repository, its test log",
        *(67.98, 87.36),
        views=1,
        crop=224,
        frames=8,
    ),
    "glore_r101_8x8": Published(
        f"{_GLORE}/resnet101-lite_3d_8x8_w-glore_2-3_ep-0000.pth",
        "GloRe repository, its test log",
        *(69.16, 87.53),
        views=1,
        crop=224,
        frames=8,
    ),
    "c2d_r50": Published(
        f"{_PYTORCHVIDEO}/C2D_8x8_R50.pyth",
        "pytorchvideo model zoo",
        *(71.46, 89.68),
        views=30,
        crop=256,
        frames=8,
        gmacs=25.89,
        parameters=24.33,
    ),
    "i3d_r50": Published(
        f"{_PYTORCHVIDEO}/I3D_8x8_R50.pyth",
        "pytorchvideo model zoo",
        *(73.27, 90.70),
        views=30,
        crop=256,
        frames=8,
        gmacs=37.53,
        parameters=28.04,
    ),
    "slow_r50": Published(
        f"{_PYTORCHVIDEO}/SLOW_8x8_R50.pyth",
        "pytorchvideo model zoo",
        *(74.58, 91.63),
        views=30,
        crop=256,
        frames=8,
        gmacs=54.52,
        parameters=32.45,
    ),
    "slowfast_r50": Published(
        f"{_PYTORCHVIDEO}/SLOWFAST_8x8_R50.pyth",
        "pytorchvideo model zoo",
        *(76.94, 92.69),
        views=30,
        crop=256,
        frames=32,
        gmacs=65.71,
        parameters=34.57,
    ),
    "nonlocal_i3d_r50": Published(
        f"{_SLOWFAST}/I3D_NLN_8x8_R50.pkl",
        "SlowFast model zoo",
        *(74.0, 91.1),
        views=30,
        crop=256,
        frames=8,
    ),
}

# Networks that start from the weights of another one, their units new.
BACKBONES: dict[str, str] = {
    "glore_c2d_r50": "c2d_r50",
    "glore_i3d_r50": "i3d_r50",
    "glore_slow_r50": "slow_r50",
    "glore_slowfast_r50": "slowfast_r50",
    "nonlocal_c2d_r50": "c2d_r50",
    "nonlocal_slow_r50": "slow_r50",
    "nonlocal_slowfast_r50": "slowfast_r50",
}

# 2D ImageNet weights that the paper's networks were inflated from.
IMAGENET: dict[str, str] = {
    "preact_r50_8x8": f"{_GLORE}/pretrained/resnet50-lite.pth",
    "preact_r101_8x8": f"{_GLORE}/pretrained/resnet101-lite.pth",
}


def weights_url(name: str) -> str:
    """URL of the weights that `create_model(name, pretrained=True)` loads.

    Raises:
        ValueError: if none are published.
    """
    backbone = BACKBONES.get(name, name)
    if backbone in PUBLISHED:
        return PUBLISHED[backbone].url
    hint = f"; its 2D ImageNet weights are {IMAGENET[name]}" if name in IMAGENET else ""
    of = "in a format that is read here" if name.endswith("_2d") else "trained on Kinetics"
    raise UsageError(
        f"no weights {of} are published for {name!r}{hint}; give the path or URL of a file"
    )
