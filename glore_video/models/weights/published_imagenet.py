"""Published figures on ImageNet: the paper's, its port's, and those of the plain hosts.

Percent of the 50,000 validation pictures, one crop of 224 pixels; none was measured with this package.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

Units = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class ImageNetRow:
    """A network of the paper's first experiment.

    Attributes:
        title: as the paper calls the network.
        units: on Res3 and on Res4.
        host: the network of timm that has the same layers.
        own: the paper's pre-activation network of the zoo, where there is one.
        top1: of the paper.
        parameters, gmacs: of the paper; millions and 1e9 multiply-adds.
        port_top1: of MindSpore's port, the only one with weights for all of its networks.
        host_top1: of the host's published weights, without units.
        host_weights: which weights these are.
    """

    title: str
    units: Units
    host: str
    own: str = ""
    top1: float | None = None
    parameters: float | None = None
    gmacs: float | None = None
    port_top1: float | None = None
    host_top1: float | None = None
    host_weights: str = ""


_r50 = partial(ImageNetRow, title="ResNet-50", host="timm/resnet50", own="preact_resnet50_2d")
_r101 = partial(ImageNetRow, title="ResNet-101", host="timm/resnet101", own="preact_resnet101_2d")
_r200 = partial(ImageNetRow, title="ResNet-200", host="timm/resnet200", own="preact_resnet200_2d")
_resnext = partial(ImageNetRow, title="ResNeXt-101 32x4d", host="timm/resnext101_32x4d")
_se = partial(ImageNetRow, title="SE-ResNet-50", host="timm/seresnet50")
_dpn98 = partial(ImageNetRow, title="DPN-98", host="timm/dpn98")
_dpn131 = partial(ImageNetRow, title="DPN-131", host="timm/dpn131")
_PLAIN: Units = (0, 0)

IMAGENET_ROWS: tuple[ImageNetRow, ...] = (
    _r50(
        units=_PLAIN,
        top1=76.2,
        parameters=25.56,
        gmacs=4.09,
        host_top1=76.13,
        host_weights="torchvision V1",
    ),
    _r50(units=(0, 1)),
    _r50(units=(0, 3), top1=78.4, parameters=30.48, gmacs=5.32, port_top1=78.44),
    _r50(units=(2, 3), top1=78.2, parameters=31.30, gmacs=5.96),
    _se(units=_PLAIN, top1=77.2, host_top1=80.26, host_weights="timm"),
    _se(units=(0, 3), top1=78.7),
    _r101(units=_PLAIN, host_top1=77.37, host_weights="torchvision V1"),
    _r101(units=(2, 3), port_top1=79.66),
    _r200(units=_PLAIN),
    _r200(units=(0, 3), top1=79.4),
    _r200(units=(2, 3), top1=79.7, port_top1=80.23),
    _resnext(units=_PLAIN),
    _resnext(units=(2, 3), top1=79.8),
    _dpn98(units=_PLAIN),
    _dpn98(units=(2, 3), top1=80.2),
    _dpn131(units=_PLAIN),
    _dpn131(units=(2, 3), top1=80.3),
)
