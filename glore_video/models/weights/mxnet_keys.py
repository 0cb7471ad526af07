"""Names of parameters in MXNet's files: of the paper's ImageNet networks, and of Gluon's batch norms."""

from __future__ import annotations

import re

# Layers of a unit as the paper's symbols call them; those of its graph convolution by number.
_UNIT_LAYERS = {
    "conv-state": ("conv_state.bn", "conv_state.conv"),
    "conv-proj": ("conv_proj.bn", "conv_proj.conv"),
    "GCN-G": ("gcn.bn1", "gcn.conv1"),
    "GCN-GHW": ("gcn.bn2", "gcn.conv2"),
    "fc-2": ("conv_extend.bn", "conv_extend.conv"),
}
_PARAMETERS = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_var": "running_var",
}
# One underscore before it in the code of the paper, two in what it grew from.
_LAYER = rf"_{{1,2}}(bn|conv)_(weight|{'|'.join(_PARAMETERS)})"
_BLOCK = r"(conv[2-5])_(B\d+)"


def papers_key(name: str) -> str | None:
    """Our key of a parameter of the paper's ImageNet networks; None for a name that they do not have.

    `conv3_B01_extra_GCN-G_bn_gamma` is `conv3.B01.glore.gcn.bn1.weight`.
    """
    if match := re.fullmatch(rf"(conv1|tail){_LAYER}", name):
        return f"{match[1]}.{match[2]}.{_parameter(match[3])}"
    if match := re.fullmatch(rf"{_BLOCK}_conv-([mw]\d){_LAYER}", name):
        return f"{match[1]}.{match[2]}.conv_{match[3]}.{match[4]}.{_parameter(match[5])}"
    if match := re.fullmatch(rf"{_BLOCK}_extra_([\w-]+?){_LAYER}", name):
        if match[3] in _UNIT_LAYERS:
            layer = _UNIT_LAYERS[match[3]][match[4] == "conv"]
            return f"{match[1]}.{match[2]}.glore.{layer}.{_parameter(match[5])}"
    elif match := re.fullmatch(r"classifier_(weight|bias)", name):
        return f"classifier.{match[1]}"
    return None


def gluon_key(name: str) -> str:
    """A name of Gluon's `save_parameters`, a path with dots, with torch's names of a batch norm's parts."""
    path, dot, parameter = name.rpartition(".")
    return f"{path}{dot}{_parameter(parameter)}"


def _parameter(name: str) -> str:
    return _PARAMETERS.get(name, name)
