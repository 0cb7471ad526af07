"""Names of parameters in other people's checkpoints, turned into ours.

Who wrote a checkpoint is told by its keys:

- the GloRe repository (`network/resnet50_3d_gcn_x5.py`): units are `conv3.B01_extra.*`;
- SlowFast (`slowfast/models`): `s3.pathway0_res1.branch2.a.weight`;
- the Caffe2 networks in SlowFast's model zoo, as `slowfast/utils/c2_model_loading.py` reads them:
  `res3_1_branch2a_w`, the fast pathway with `t_` in front;
- 2D ResNets of torchvision and timm: `layer1.0.conv1.weight`;
- EfficientNet-PyTorch: `_blocks.0._depthwise_conv.weight`;
- the classifier that the backbone of a segmentation network comes from: its keys, with `backbone.` in
  front, are the network's;
- the paper's ImageNet networks in MXNet's files: `conv2_B01_conv-m1_bn_gamma`.

Everything else keeps its names: our checkpoints, and pytorchvideo's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from torch import Tensor, nn

from glore_video.errors import UsageError
from glore_video.models.networks.heads import head_path
from glore_video.models.networks.stages import stage_blocks
from glore_video.models.weights.backbone_keys import under_backbone
from glore_video.models.weights.efficientnet_keys import EFFICIENTNET_STEM, efficientnet_names
from glore_video.models.weights.files import StoredWeights
from glore_video.models.weights.mxnet_keys import gluon_key, papers_key

# What DistributedDataParallel, torch.compile and trainers put before each key.
_WRAPPERS = ("module.", "_orig_mod.", "model.")
# What they put inside of keys, where a block was wrapped by itself.
_WITHIN = re.compile(r"\b(_orig_mod|_checkpoint_wrapped_module|_fsdp_wrapped_module)\.")

_OFFICIAL_UNIT = re.compile(r"^(conv\d)\.(B\d+)_extra\.")
_SLOWFAST = re.compile(r"^s\d\.pathway\d_")
_RESNET_2D = "layer1.0.conv1.weight"


@dataclass(frozen=True)
class OurWeights:
    """A checkpoint under the names of a network of ours.

    Attributes:
        format: who wrote it, in words.
        state: key -> tensor. Keys that no rule covers keep their names.
        normalize: `normalize` of its GloRe units, where that is known.
        beside: keys that are not in `state`, as they stand beside those of the network in a wrapper.
    """

    format: str
    state: dict[str, Tensor]
    normalize: bool | None
    beside: Sequence[str] = ()


def to_our_keys(stored: StoredWeights, model: nn.Module) -> OurWeights:
    """Renames the parameters of a checkpoint as the network names them.

    Raises:
        ValueError: for weights of SlowFast, of a 2D ResNet or of EfficientNet-PyTorch and a network
            that has none of their blocks.
    """
    state, beside = _unwrapped(stored.state, list(model.state_dict()))
    ours = _renamed(stored, state, model)
    return replace(ours, beside=[*beside, *ours.beside])


def _renamed(stored: StoredWeights, state: dict[str, Tensor], model: nn.Module) -> OurWeights:
    own = model.state_dict()
    if of_backbone := under_backbone(state, model):
        return OurWeights(
            "the backbone's classifier", of_backbone.state, stored.normalize, of_backbone.beside
        )
    if stored.caffe2:
        names = _slowfast_names(model, f"{stored.name} (SlowFast, Caffe2)")
        renamed = {names(caffe2_to_slowfast(key)): value for key, value in state.items()}
        return OurWeights("SlowFast, Caffe2", _expanded(renamed, own), stored.normalize)
    if stored.mxnet:
        papers = {key: name for key in state if (name := papers_key(key)) is not None}
        if papers:
            renamed = _rename(state, lambda key: papers.get(key, key))
            return OurWeights("GloRe, ImageNet, MXNet", renamed, False)
        return OurWeights("MXNet", _rename(state, gluon_key), None)
    if any(_SLOWFAST.match(key) for key in state):
        names = _slowfast_names(model, f"{stored.name} (SlowFast)")
        return OurWeights("SlowFast", _rename(state, names), stored.normalize)
    if any(_OFFICIAL_UNIT.match(key) for key in state):
        renamed = _rename(state, lambda key: _OFFICIAL_UNIT.sub(r"\1.\2.glore.", key))
        return OurWeights("GloRe repository", renamed, False)
    if _RESNET_2D in state and _RESNET_2D not in own:
        names = _resnet_2d_names(model, f"{stored.name} (a 2D ResNet)")
        return OurWeights("2D ResNet of torchvision or timm", _rename(state, names), None)
    if EFFICIENTNET_STEM in state:
        translate = efficientnet_names(own)
        if translate is None:
            raise UsageError(
                f"{stored.name} (EfficientNet-PyTorch) does not fit a {type(model).__name__}: such "
                "weights go into timm's EfficientNets"
            )
        return OurWeights("EfficientNet-PyTorch", _rename(state, translate), None)
    return OurWeights("this package or pytorchvideo", state, stored.normalize)


_CAFFE2_PARAMETERS = {"w": "weight", "b": "bias"}
_CAFFE2_NORM = {"s": "weight", "b": "bias", "rm": "running_mean", "riv": "running_var"}
_CAFFE2_LAYERS: list[tuple[str, Callable[[re.Match[str]], str]]] = [
    (r"conv1", lambda m: f"s1.pathway{_fast(m)}_stem.conv"),
    (r"res_conv1_bn", lambda m: f"s1.pathway{_fast(m)}_stem.bn"),
    (r"pool1_subsample", lambda m: "s1_fuse.conv_f2s"),
    (r"pool1_subsample_bn", lambda m: "s1_fuse.bn"),
    (r"res(\d)_\d+_branch2c_bn_subsample", lambda m: f"s{m[2]}_fuse.conv_f2s"),
    (r"res(\d)_\d+_branch2c_bn_subsample_bn", lambda m: f"s{m[2]}_fuse.bn"),
    (r"res(\d)_(\d+)_branch1(_bn|)", lambda m: f"{_block(m)}.branch1{m[4]}"),
    (r"res(\d)_(\d+)_branch2([abc])(_bn|)", lambda m: f"{_block(m)}.branch2.{m[4]}{m[5]}"),
    (
        r"nonlocal_conv(\d)_(\d+)_(theta|phi|g|out)",
        lambda m: f"s{m[2]}.pathway{_fast(m)}_nonlocal{m[3]}.conv_{m[4]}",
    ),
    (
        r"nonlocal_conv(\d)_(\d+)_bn",
        lambda m: f"s{m[2]}.pathway{_fast(m)}_nonlocal{m[3]}.bn",
    ),
    (r"pred", lambda m: "head.projection"),
]


def _fast(match: re.Match[str]) -> int:
    """Pathway of a blob: the fast one's names begin with t_."""
    return 1 if match[1] else 0


def _block(match: re.Match[str]) -> str:
    return f"s{match[2]}.pathway{_fast(match)}_res{match[3]}"


def caffe2_to_slowfast(blob: str) -> str:
    """SlowFast's name of a Caffe2 blob; the blob's own name if no rule covers it."""
    layer, _, suffix = blob.rpartition("_")
    parameters = _CAFFE2_NORM if layer.endswith("_bn") else _CAFFE2_PARAMETERS
    for pattern, name in _CAFFE2_LAYERS:
        match = re.fullmatch(f"(t_|){pattern}", layer)
        if match and suffix in parameters:
            return f"{name(match)}.{parameters[suffix]}"
    return blob


def _slowfast_names(model: nn.Module, name: str) -> Callable[[str], str]:
    """Translates SlowFast's keys for a network with pytorchvideo's names."""
    blocks = _pytorchvideo_blocks(model, name)
    several = len(blocks[0]) > 1
    head = head_path(model)

    def translate(key: str) -> str:
        if match := re.fullmatch(r"s1\.pathway(\d)_stem\.(conv|bn)\.(\w+)", key):
            stem = f"blocks.0.multipathway_blocks.{match[1]}" if several else "blocks.0"
            return f"{stem}.{'norm' if match[2] == 'bn' else 'conv'}.{match[3]}"
        if match := re.fullmatch(r"s(\d)_fuse\.(conv_f2s|bn)\.(\w+)", key):
            layer = {"conv_f2s": "conv_fast_to_slow", "bn": "norm"}[match[2]]
            return f"blocks.{int(match[1]) - 1}.multipathway_fusion.{layer}.{match[3]}"
        if match := re.fullmatch(r"s([2-5])\.pathway(\d)_(res|nonlocal)(\d+)\.(.+)", key):
            block = _get(blocks, int(match[1]) - 2, int(match[2]), int(match[4]))
            if block is None:
                return key
            if match[3] == "nonlocal":
                return f"{block}.nonlocal_block.{re.sub(r'^bn', 'norm', match[5])}"
            layer = re.sub(r"^branch1\.", "branch1_conv.", match[5])
            layer = re.sub(r"^branch1_bn\.", "branch1_norm.", layer)
            layer = re.sub(r"^branch2\.([abc])\.", r"branch2.conv_\1.", layer)
            layer = re.sub(r"^branch2\.([abc])_bn\.", r"branch2.norm_\1.", layer)
            return f"{block}.{layer}"
        if match := re.fullmatch(r"head\.projection\.(weight|bias)", key):
            return f"{head}.{match[1]}"
        return key

    return translate


def _resnet_2d_names(model: nn.Module, name: str) -> Callable[[str], str]:
    """Translates torchvision's and timm's keys for a network with pytorchvideo's names."""
    blocks = _pytorchvideo_blocks(model, name)
    if len(blocks[0]) > 1:
        raise UsageError(
            f"{name} does not fit: a network with {len(blocks[0])} pathways is not inflated from "
            f"a 2D network"
        )
    head = head_path(model)

    def translate(key: str) -> str:
        if match := re.fullmatch(r"(conv|bn)1\.(\w+)", key):
            return f"blocks.0.{'norm' if match[1] == 'bn' else 'conv'}.{match[2]}"
        if match := re.fullmatch(r"layer([1-4])\.(\d+)\.(.+)", key):
            block = _get(blocks, int(match[1]) - 1, 0, int(match[2]))
            if block is None:
                return key
            layer = re.sub(r"^downsample\.0\.", "branch1_conv.", match[3])
            layer = re.sub(r"^downsample\.1\.", "branch1_norm.", layer)
            for number, letter in zip("123", "abc", strict=True):
                layer = re.sub(rf"^conv{number}\.", f"branch2.conv_{letter}.", layer)
                layer = re.sub(rf"^bn{number}\.", f"branch2.norm_{letter}.", layer)
            return f"{block}.{layer}"
        if match := re.fullmatch(r"fc\.(weight|bias)", key):
            return f"{head}.{match[1]}"
        return key

    return translate


def _pytorchvideo_blocks(model: nn.Module, name: str) -> list[list[list[str]]]:
    if not isinstance(getattr(model, "blocks", None), nn.ModuleList):
        raise UsageError(
            f"{name} does not fit a {type(model).__name__}: such weights go into c2d, i3d, slow "
            f"or slowfast"
        )
    return stage_blocks(model)


def _get(
    blocks: Sequence[Sequence[Sequence[str]]], stage: int, pathway: int, index: int
) -> str | None:
    if stage < len(blocks) and pathway < len(blocks[stage]) and index < len(blocks[stage][pathway]):
        return blocks[stage][pathway][index]
    return None


def _rename(state: dict[str, Tensor], name: Callable[[str], str]) -> dict[str, Tensor]:
    return {name(key): value for key, value in state.items()}


def _expanded(state: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """Fully connected layers in the shape of the convolutions that stand for them, or back."""
    return {
        key: value.reshape(own[key].shape)
        if key in own and _without_ones(value) == _without_ones(own[key])
        else value
        for key, value in state.items()
    }


def _without_ones(tensor: Tensor) -> list[int]:
    """The shape without the axes of size 1 at its end."""
    shape = list(tensor.shape)
    while len(shape) > 1 and shape[-1] == 1:
        shape.pop()
    return shape


def _unwrapped(state: dict[str, Tensor], own: Sequence[str]) -> tuple[dict[str, Tensor], list[str]]:
    """A state dict without the wrappers' part of its keys, and which keys stood beside the network.

    A wrapper may hold more than the network (the weights of a loss, a count of averaged models), so
    that not all keys have its prefix, only most. A prefix stays where the network's own keys have it.
    """

    def known(keys: Iterable[str]) -> int:
        return len(keys_of_network.intersection(keys))

    keys_of_network = set(own)
    bare = {_WITHIN.sub("", key): value for key, value in state.items()}
    if known(bare) >= known(state):
        state = bare
    beside: list[str] = []
    for prefix in _WRAPPERS * len(_WRAPPERS):
        inside = {k[len(prefix) :]: value for k, value in state.items() if k.startswith(prefix)}
        if 2 * len(inside) > len(state) and known(inside) >= known(state):
            outside = {k: value for k, value in state.items() if not k.startswith(prefix)}
            beside += [key for key in outside if key not in keys_of_network]
            state = {k: v for k, v in outside.items() if k in keys_of_network} | inside
    return state, beside
