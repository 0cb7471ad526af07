"""Load weights into a network, strictly unless told otherwise, and report what was done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from glore_video.errors import UsageError
from glore_video.models.networks.heads import head_parts, units_that_may_normalize
from glore_video.models.networks.inserted_units import (
    inserted_units,
    zero_init_units,
)
from glore_video.models.weights.download import fetch, is_url
from glore_video.models.weights.files import StoredWeights, read_weights
from glore_video.models.weights.foreign_keys import OurWeights, to_our_keys
from glore_video.models.weights.inflation import inflate
from glore_video.models.weights.load_report import BACKBONE, GROUPS, LoadReport, brief


class UnfitWeightsError(UsageError):
    """Weights that are not those of a network. Its text says what `load_weights` could be told.

    Attributes:
        problem: what does not fit, without that advice.
        groups: names for `allow` with which they would fit; empty where none helps.
        classes: of the file, where it has another number than the network.
        normalize: what the file's GloRe units were trained with, where the network's are not.
    """

    def __init__(
        self,
        problem: str,
        *,
        groups: Sequence[str] = (),
        classes: int | None = None,
        normalize: bool | None = None,
        advice: str = "",
    ) -> None:
        super().__init__(f"{problem}; {advice}" if advice else problem)
        self.problem = problem
        self.groups = tuple(groups)
        self.classes = classes
        self.normalize = normalize


def load_weights(
    model: nn.Module,
    source: str | Path | Mapping[str, Any] | StoredWeights,
    *,
    allow: Sequence[str] = (),
) -> LoadReport:
    """Loads weights into a network, in place.

    Who wrote them is told by their keys: this package, pytorchvideo, the GloRe repository,
    SlowFast (.pyth, and the Caffe2 .pkl of its zoo), torchvision's and timm's 2D ResNets,
    EfficientNet-PyTorch. 2D kernels are inflated to 3D. Every key must match in name and shape, except in the groups that
    `allow` names:

    - "head": the classifier (`head_parts`), for a file with other classes; the heads of a network for
      segmentation, for a file of the classifier that its backbone comes from. It keeps its initialisation
      where the file has no such key or another shape.
    - "units": inserted GloRe units and non-local blocks. A unit that the file does not have in
      full is reset to the identity; units in the file only are left out.

    Args:
        model: the network.
        source: a file or its URL (.safetensors; anything torch.save wrote: a state dict, alone or
            under "ema_state" (a run's moving average, which goes first), "model_state" or
            "state_dict"; a Caffe2 pickle; MXNet's .params), or the content of one. Prefixes that
            DistributedDataParallel, torch.compile and other wrappers put before keys are removed;
            what else a wrapper holds (the weights of a loss, say) is left out and reported. Nothing
            but tensors, arrays and plain containers is unpickled.
        allow: names of groups.

    Returns:
        What was loaded and what was not.

    Raises:
        FileNotFoundError: if there is no such file, or it cannot be downloaded.
        ValueError: if it is not a checkpoint or not safe to read; an UnfitWeightsError if nothing
            in it matches, keys outside the allowed groups are missing, unexpected or of another
            shape, or its GloRe units were trained with another `normalize`. The model is then
            unchanged.
    """
    unknown = sorted(set(allow) - set(GROUPS))
    if unknown or isinstance(allow, str):
        raise UsageError(f"allow must be a sequence of {', '.join(GROUPS)}, got {allow!r}")
    stored = stored_weights(source)
    ours = to_our_keys(stored, model)
    own = model.state_dict()
    inflated = inflate(ours.state, own)
    state = ours.state | inflated
    report = _compared(model, state, ours, stored.name, inflated)
    if not report.loaded:
        raise UnfitWeightsError(
            f"nothing in {stored.name} matches the network: it has {brief(list(stored.state))}, "
            f"the network {brief(list(own))}"
        )
    _check_groups(report, allow)
    fresh = set(report.newly_initialised)
    fresh_units = [
        path
        for path, unit in inserted_units(model).items()
        if any(f"{path}.{key}" in fresh for key in unit.state_dict())
    ]
    _check_normalize(model, ours, stored.name, fresh_units)
    model.load_state_dict({key: state[key] for key in report.loaded}, strict=False)
    zero_init_units(model, fresh_units)
    return report


def _compared(
    model: nn.Module,
    state: Mapping[str, Tensor],
    ours: OurWeights,
    source: str,
    inflated: Mapping[str, Tensor],
) -> LoadReport:
    """What of a file's state, `ours` with its inflated kernels, the network has in the same shape."""
    own = model.state_dict()
    report = LoadReport(
        source=source,
        format=ours.format,
        heads=head_parts(model),
        unexpected=[key for key in state if key not in own],
        beside=list(ours.beside),
    )
    for key, tensor in own.items():
        if key not in state:
            # Files from before batch norm counted its batches.
            if not key.endswith(".num_batches_tracked"):
                report.newly_initialised.append(key)
        elif state[key].shape != tensor.shape:
            report.mismatched[key] = (tuple(state[key].shape), tuple(tensor.shape))
            report.newly_initialised.append(key)
        else:
            report.loaded.append(key)
            if key in inflated:
                report.inflated.append(key)
    return report


def stored_weights(source: str | Path | Mapping[str, Any] | StoredWeights) -> StoredWeights:
    """Reads a file, URL or content as `load_weights` takes it."""
    if isinstance(source, StoredWeights):
        return source
    if isinstance(source, Mapping):
        return read_weights(source)
    return read_weights(fetch(str(source)) if is_url(source) else Path(source))


def _check_groups(report: LoadReport, allow: Sequence[str]) -> None:
    def refused(keys: Sequence[str]) -> list[str]:
        return [key for key in keys if report.group(key) not in allow]

    problems = []
    missing = refused([k for k in report.newly_initialised if k not in report.mismatched])
    if missing:
        problems.append(f"missing: {brief(missing)}")
    mismatched_keys = refused(list(report.mismatched))
    mismatched = [
        f"{key} is {report.mismatched[key][0]}, needs {report.mismatched[key][1]}"
        for key in mismatched_keys
    ]
    if mismatched:
        problems.append(f"other shapes: {brief(mismatched)}")
    unexpected = refused(report.unexpected)
    if unexpected:
        problems.append(f"unexpected: {brief(unexpected)}")
    if problems:
        groups = {report.group(key) for key in [*missing, *mismatched_keys, *unexpected]}
        helpful = [] if BACKBONE in groups else sorted(groups | set(allow))
        shapes = next(
            (report.mismatched[key] for key in report.mismatched if report.group(key) == "head"),
            None,
        )
        raise UnfitWeightsError(
            f"{report.source} does not fit the network: {'; '.join(problems)}",
            groups=helpful,
            classes=shapes[0][0] if shapes else None,
            advice=f"allow={helpful} would accept it" if helpful else "",
        )


def _check_normalize(
    model: nn.Module, ours: OurWeights, name: str, fresh_units: Sequence[str]
) -> None:
    """Refuses units that would compute another function than they were trained for."""
    for path, unit in units_that_may_normalize(model).items():
        if path in fresh_units or ours.normalize in (None, unit.normalize):
            continue
        trained = "that divide" if ours.normalize else "that do not divide"
        raise UnfitWeightsError(
            f"{name} ({ours.format}) has GloRe units {trained} by the number of positions, "
            f"unlike {path}, which would compute something else",
            normalize=ours.normalize,
            advice=f"build the network with normalize={ours.normalize}",
        )
