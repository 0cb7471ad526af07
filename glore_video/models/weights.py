"""Load weights into a network, strictly unless told otherwise, and report what was done."""

from __future__ import annotations

import importlib
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from glore_video.models.insertion import inserted_units, zero_init_units

GROUPS = ("head", "units")
# Where trainers keep the weights in their checkpoints, and what wrappers put before each key.
_CONTAINERS = ("model_state", "state_dict")
_WRAPPERS = ("module.", "_orig_mod.")


@dataclass(frozen=True)
class LoadReport:
    """What `load_weights` did, key by key.

    Attributes:
        loaded: keys taken from the file.
        newly_initialised: keys of the network that keep their initialisation.
        mismatched: those of `newly_initialised` that the file has in another shape, as
            key -> (shape in the file, shape in the network).
        unexpected: keys of the file that the network does not have.
    """

    loaded: list[str] = field(default_factory=list)
    newly_initialised: list[str] = field(default_factory=list)
    mismatched: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=dict)
    unexpected: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        rows = [
            ("loaded", self.loaded),
            ("newly initialised", self.newly_initialised),
            ("of these in another shape", list(self.mismatched)),
            ("unexpected, left out", self.unexpected),
        ]
        return "\n".join(f"{name:<26}{len(keys):>5}  {_brief(keys)}" for name, keys in rows)


def load_weights(
    model: nn.Module,
    source: str | Path | Mapping[str, Tensor],
    *,
    allow: Sequence[str] = (),
) -> LoadReport:
    """Loads weights into a network, in place.

    Every key must match in name and shape, except in the groups that `allow` names:

    - "head": the classifier, for a file with other classes. It keeps its initialisation where the
      file has no such key or another shape.
    - "units": inserted GloRe units and non-local blocks. A unit that the file does not have in
      full is reset to the identity; units in the file only are left out.

    Args:
        model: the network.
        source: a file (.safetensors, or written by torch.save: a state dict, alone or under
            "model_state" or "state_dict"), or a state dict. Prefixes that DistributedDataParallel
            and torch.compile put before each key are removed.
        allow: names of groups.

    Returns:
        What was loaded and what was not.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not a checkpoint, nothing in it matches, or keys outside the allowed
            groups are missing, unexpected or of another shape. The model is then unchanged.
    """
    unknown = sorted(set(allow) - set(GROUPS))
    if unknown or isinstance(allow, str):
        raise ValueError(f"allow must be a sequence of {', '.join(GROUPS)}, got {allow!r}")
    name = str(source) if isinstance(source, (str, Path)) else "the given state dict"
    state = _state_dict(source, name)
    own = model.state_dict()
    report = LoadReport(unexpected=[key for key in state if key not in own])
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
    if not report.loaded:
        raise ValueError(
            f"nothing in {name} matches the network: it has {_brief(list(state))}, "
            f"the network {_brief(list(own))}"
        )
    _check(model, report, allow, name)
    model.load_state_dict({key: state[key] for key in report.loaded}, strict=False)
    fresh = set(report.newly_initialised)
    zero_init_units(
        model,
        [
            path
            for path, unit in inserted_units(model).items()
            if any(f"{path}.{key}" in fresh for key in unit.state_dict())
        ],
    )
    return report


def head_path(model: nn.Module) -> str | None:
    """Path of the classifier: the last linear layer outside of inserted units, if there is one."""
    units = tuple(f"{path}." for path in inserted_units(model))
    layers = [
        path
        for path, module in model.named_modules()
        if isinstance(module, nn.Linear) and not path.startswith(units)
    ]
    return layers[-1] if layers else None


def _check(model: nn.Module, report: LoadReport, allow: Sequence[str], name: str) -> None:
    head = head_path(model)

    def group(key: str) -> str | None:
        if ".glore." in f".{key}" or ".nonlocal_block." in f".{key}":
            return "units"
        return "head" if head and key.startswith(f"{head}.") else None

    def refused(keys: Sequence[str]) -> list[str]:
        return [key for key in keys if group(key) not in allow]

    problems = []
    missing = refused([k for k in report.newly_initialised if k not in report.mismatched])
    if missing:
        problems.append(f"missing: {_brief(missing)}")
    mismatched = [
        f"{key} is {report.mismatched[key][0]}, needs {report.mismatched[key][1]}"
        for key in refused(list(report.mismatched))
    ]
    if mismatched:
        problems.append(f"other shapes: {_brief(mismatched)}")
    unexpected = refused(report.unexpected)
    if unexpected:
        problems.append(f"unexpected: {_brief(unexpected)}")
    if problems:
        groups = {group(key) for key in [*report.newly_initialised, *report.unexpected]}
        helpful = sorted({g for g in groups if g} - set(allow))
        hint = f"; allow={helpful} would accept those groups" if helpful else ""
        raise ValueError(f"{name} does not fit the network: {'; '.join(problems)}{hint}")


def _state_dict(source: str | Path | Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    content: object = source
    if isinstance(source, (str, Path)):
        content = _read(Path(source))
    for key in _CONTAINERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if (
        not isinstance(content, Mapping)
        or not content
        or not all(isinstance(v, Tensor) and isinstance(k, str) for k, v in content.items())
    ):
        raise ValueError(
            f"{name} is not a checkpoint: it needs a state dict, alone or under "
            f"{' or '.join(_CONTAINERS)}"
        )
    state = dict(content)
    for prefix in (*_WRAPPERS, *_WRAPPERS):
        if all(key.startswith(prefix) for key in state):
            state = {key[len(prefix) :]: value for key, value in state.items()}
    return state


def _read(path: Path) -> object:
    if not path.is_file():
        raise FileNotFoundError(f"no weights file {path}")
    if path.suffix == ".safetensors":
        try:
            safetensors = importlib.import_module("safetensors.torch")
        except ImportError:
            raise ValueError(f"reading {path} needs the safetensors package") from None
        return safetensors.load_file(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(f"{path} is not a checkpoint that torch.load can read: {reason}") from None


def _brief(keys: Sequence[str]) -> str:
    shown = ", ".join(keys[:3])
    return f"{shown}, ... ({len(keys)} in all)" if len(keys) > 3 else shown
