"""The plain Kinetics network of the GloRe paper: a light pre-activation 3D ResNet.

Layers, widths and module names as in `network/resnet50_3d_gcn_x5.py` and
`network/resnet101_3d_gcn_x5.py` of facebookresearch/GloRe, without their units, which
`insert_glore` adds.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from glore_video.errors import UsageError
from glore_video.models.networks.preact_blocks import EPS, PreactResNet, preact_stage

_STAGE_DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}


class PreactResNet3d(PreactResNet):
    """The paper's I3D-like baseline on Kinetics ("8x8": 8 frames, stride 8).

    The published network averages exactly 4 x 7 x 7 features; here the average is global, the same
    for 8 x 224 x 224 clips.

    Args:
        depth: 50 or 101.
        num_classes: width of the logits.
        dropout_rate: before the classifier.

    Shapes: (batch, 3, frames, height, width) -> logits (batch, num_classes); any length and size,
    in train and eval mode.

    Raises:
        ValueError: for another depth.
    """

    def __init__(
        self, depth: int = 50, *, num_classes: int = 400, dropout_rate: float = 0.5
    ) -> None:
        if depth not in _STAGE_DEPTHS:
            raise UsageError(f"depth must be one of {sorted(_STAGE_DEPTHS)}, got {depth}")
        stem = nn.Sequential(
            OrderedDict(
                conv=nn.Conv3d(3, 32, (3, 5, 5), stride=(1, 2, 2), padding=(1, 2, 2), bias=False),
                bn=nn.BatchNorm3d(32, eps=EPS),
                relu=nn.ReLU(inplace=True),
                max_pool=nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)),
            )
        )
        res2, res3, res4, res5 = _STAGE_DEPTHS[depth]
        odd = tuple(range(1, res4 + 1, 2))
        super().__init__(
            stem,  # (batch, 32, t, h / 4, w / 4)
            (
                preact_stage(res2, 32, 64, stride=(1, 1, 1), temporal=(1, 2, 3)),
                preact_stage(res3, 256, 128, stride=(2, 2, 2), temporal=odd),  # t / 2, h / 8
                preact_stage(res4, 512, 256, stride=(1, 2, 2), temporal=odd),
                preact_stage(res5, 1024, 512, stride=(1, 2, 2), temporal=(2,)),  # t / 2, h / 32
            ),
            nn.Sequential(
                OrderedDict(bn=nn.BatchNorm3d(2048, eps=EPS), relu=nn.ReLU(inplace=True))
            ),
            nn.AdaptiveAvgPool3d(1),
            num_classes=num_classes,
            dropout_rate=dropout_rate,
        )
        self._initialise()

    def _initialise(self) -> None:
        """Xavier-uniform weights and zero biases, as published."""
        for module in self.modules():
            if isinstance(module, (nn.Conv3d, nn.Linear)):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
