"""The paper's picture networks for ImageNet: pre-activation ResNets of depth 50, 101 and 200."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from glore_video.errors import UsageError
from glore_video.models.networks.preact_blocks import EPS, PreactResNet, preact_stage
from glore_video.models.units.unit_options import Form

_STAGE_DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 200: (3, 24, 36, 3)}


class PreactResNet2d(PreactResNet):
    """Pre-activation ResNet (He et al., "Identity Mappings in Deep Residual Networks", ECCV 2016).

    As the paper has it for ImageNet: stem of a 7 x 7 convolution with 64 channels, BN-ReLU and
    maximum pool; stride on the 3 x 3 convolutions; BN-ReLU before the average. Blocks and their names
    are those of the video network (`PreactResNet3d`). Units in it are pre-activated unless told
    otherwise (`insert_glore`). The paper's initialisation is not published; it is He's here, normal
    over outputs.

    Args:
        depth: 50, 101 or 200.
        num_classes: width of the logits.
        dropout_rate: before the classifier.

    Shapes: (batch, 3, height, width) -> logits (batch, num_classes); any size.

    Raises:
        UsageError: for another depth.
    """

    glore_form: Form = "preactivated"

    def __init__(
        self, depth: int = 50, *, num_classes: int = 1000, dropout_rate: float = 0.0
    ) -> None:
        if depth not in _STAGE_DEPTHS:
            raise UsageError(f"depth must be one of {sorted(_STAGE_DEPTHS)}, got {depth}")
        stem = nn.Sequential(
            OrderedDict(
                conv=nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False),
                bn=nn.BatchNorm2d(64, eps=EPS),
                relu=nn.ReLU(inplace=True),
                max_pool=nn.MaxPool2d(3, stride=2, padding=1),
            )
        )
        res2, res3, res4, res5 = _STAGE_DEPTHS[depth]
        super().__init__(
            stem,  # (batch, 64, h / 4, w / 4)
            (
                preact_stage(res2, 64, 64, stride=(1, 1)),
                preact_stage(res3, 256, 128, stride=(2, 2)),  # h / 8
                preact_stage(res4, 512, 256, stride=(2, 2)),
                preact_stage(res5, 1024, 512, stride=(2, 2)),  # h / 32
            ),
            nn.Sequential(
                OrderedDict(bn=nn.BatchNorm2d(2048, eps=EPS), relu=nn.ReLU(inplace=True))
            ),
            nn.AdaptiveAvgPool2d(1),
            num_classes=num_classes,
            dropout_rate=dropout_rate,
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        nn.init.normal_(self.classifier.weight, std=0.01)
        nn.init.zeros_(self.classifier.bias)
