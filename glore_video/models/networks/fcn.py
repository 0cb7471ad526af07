"""Fully convolutional networks (FCN) for semantic segmentation: a dilated backbone and a head.

Long et al., "Fully Convolutional Networks for Semantic Segmentation", CVPR 2015, in the form that most
others are compared with: a ResNet at an output stride of 8 and a head with a global unit or none.
"""

from __future__ import annotations

import copy
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from glore_video.errors import UsageError
from glore_video.models.networks.classifier import PixelClassifier
from glore_video.models.networks.inserted_units import GLORE, NONLOCAL, zero_init_unit
from glore_video.models.networks.nonlocal2d import NonLocal2d
from glore_video.models.units.glore_unit import GloreUnit2d

HeadForm = Literal["fcn", "glore", "glore_paddleseg", "nonlocal"]
HEAD_FORMS: tuple[HeadForm, ...] = ("fcn", "glore", "glore_paddleseg", "nonlocal")


class ConvBatchNorm(nn.Sequential):
    """Convolution without bias, batch norm, ReLU; the size of the map is kept.

    Shapes: (batch, in_channels, height, width) -> (batch, out_channels, height, width).
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        padding = kernel_size // 2
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, padding=padding, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)


class SegmentationHead(nn.Sequential):
    """Head of a segmentation network: convolution, global unit, convolution, dropout, 1 x 1 classifier.

    Forms:

    - "fcn": 3 x 3 convolution, 3 x 3 convolution, no unit.
    - "glore": the same with a GloRe unit between the two, as the authors' code for Cityscapes has it: V
      divided by the number of positions, a ReLU between the graph products, a batch norm at the end.
    - "glore_paddleseg": as PaddleSeg's GloRe: a 1 x 1 convolution, a unit that does not divide, nothing
      between it and the classifier; dropout of single numbers, where the others drop whole channels.
    - "nonlocal": as "glore" with a non-local block (softmax, half of the channels, no pooling).

    A unit changes nothing until it is trained, and it is initialised last: drawn from the same seed, the
    forms "fcn", "glore" and "nonlocal" start as the same function.

    Args:
        in_channels: of the backbone's last map.
        num_classes: width of the logits.
        form: see above.
        channels: inside the head; 0: a quarter of in_channels (512 of a ResNet-50's 2048).
        nodes, states: of the GloRe unit; 0: an eighth and a quarter of the channels, 64 and 128 of 512,
            as published.
        dropout: before the classifier.

    Shapes: (batch, in_channels, height, width) -> logits (batch, num_classes, height, width).
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        *,
        form: HeadForm = "fcn",
        channels: int = 0,
        nodes: int = 0,
        states: int = 0,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if form not in HEAD_FORMS:
            raise UsageError(f"form must be one of {', '.join(HEAD_FORMS)}, got {form!r}")
        if min(channels, nodes, states) < 0:
            raise UsageError(
                f"channels, nodes and states must be 0 or more, got {channels}, {nodes}, {states}"
            )
        if (nodes or states) and not form.startswith("glore"):
            raise UsageError(f"nodes and states are of a GloRe unit, and form is {form!r}")
        if not 0 <= dropout < 1:
            raise UsageError(f"dropout must be at least 0 and below 1, got {dropout}")
        of_paddleseg = form == "glore_paddleseg"
        width = channels or max(1, in_channels // 4)
        first = ConvBatchNorm(in_channels, width, 1 if of_paddleseg else 3)
        second = None if of_paddleseg else ConvBatchNorm(width, width, 3)
        classifier = PixelClassifier(width, num_classes)
        nn.init.normal_(classifier.weight, std=0.01)
        nn.init.zeros_(classifier.bias)  # type: ignore[arg-type]
        self.first = first
        if form == "nonlocal":
            block = NonLocal2d(width, max(1, width // 2), pool=(1, 1), instantiation="softmax")
            zero_init_unit(block)
            self.add_module(NONLOCAL, block)
        elif form != "fcn":
            sizes = nodes or max(1, width // 8), states or max(1, width // 4)
            self.add_module(GLORE, GloreUnit2d(width, *sizes, normalize=not of_paddleseg))
        if second is not None:
            self.second = second
        self.dropout: nn.Module = (nn.Dropout if of_paddleseg else nn.Dropout2d)(dropout)
        self.classifier = classifier


class AuxiliaryHead(nn.Sequential):
    """Head on the last map but one, for a second loss in training: 3 x 3 convolution, 1 x 1 classifier.

    The convolution has a quarter of the map's channels, 256 of a ResNet-50's 1024. As PSPNet introduced
    it (Zhao et al., CVPR 2017) and PaddleSeg has it beside its GloRe head.

    Shapes: (batch, in_channels, height, width) -> logits (batch, num_classes, height, width).
    """

    def __init__(self, in_channels: int, num_classes: int, *, dropout: float = 0.1) -> None:
        super().__init__()
        width = max(1, in_channels // 4)
        self.first = ConvBatchNorm(in_channels, width, 3)
        self.dropout = nn.Dropout(dropout)
        self.classifier = PixelClassifier(width, num_classes)
        nn.init.normal_(self.classifier.weight, std=0.01)
        nn.init.zeros_(self.classifier.bias)  # type: ignore[arg-type]


class SegmentationNetwork(nn.Module):
    """A backbone, a head on its last map, and an auxiliary head on the one before.

    Logits are scaled to the size of the input, bilinearly, corners not aligned.

    Args:
        backbone: gives two feature maps of a picture (`Backbone`).
        head: of the last map, logits of each position; its last layer is named `classifier`.
        auxiliary_head: of the map before, such a head too.

    Shapes: (batch, 3, height, width) -> logits (batch, num_classes, height, width). In train mode with an
    auxiliary head {"out": logits, "aux": the auxiliary head's}.

    Raises:
        UsageError: for inputs that are not a batch of pictures.
    """

    _coarse = False

    def __init__(
        self, backbone: nn.Module, head: nn.Module, auxiliary_head: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.backbone = backbone
        if auxiliary_head is not None:
            self.auxiliary_head = auxiliary_head
        self.head = head

    def with_coarse_logits(self) -> SegmentationNetwork:
        """A network of the same layers whose logits have the size of its last map, in eval mode too.

        Scaled to the size of the input, bilinearly, corners not aligned, they are this network's.
        """
        network = copy.copy(self)
        network._coarse = True
        return network

    @property
    def head_names(self) -> tuple[str, ...]:
        """Of the children that end with a classifier; that of the logits is the last."""
        return tuple(name for name in ("auxiliary_head", "head") if name in self._modules)

    def forward(self, x: Tensor) -> Tensor | dict[str, Tensor]:
        if isinstance(x, Tensor) and (x.dim() != 4 or x.shape[1] != 3):
            raise UsageError(
                f"a segmentation network needs pictures (batch, 3, height, width), got shape {tuple(x.shape)}"
            )
        before, last = self.backbone(x)
        if self._coarse:
            return self.head(last)
        size = x.shape[-2:]
        logits = _scaled(self.head(last), size)
        if not self.training or "auxiliary_head" not in self._modules:
            return logits
        return {"out": logits, "aux": _scaled(self.auxiliary_head(before), size)}


def _scaled(logits: Tensor, size: tuple[int, ...]) -> Tensor:
    return F.interpolate(logits, size, mode="bilinear", align_corners=False)
