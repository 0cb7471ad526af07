"""Files of weights: reading them without running code from them, and writing them."""

from __future__ import annotations

import importlib
import io
import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from glore_video.errors import MissingFileError, UsageError, load_failure, writing
from glore_video.models.networks.heads import units_that_may_normalize
from glore_video.models.weights.caffe2_pickle import RefusedPickleError, read_caffe2_pickle
from glore_video.models.weights.mxnet_params import MXNET_MAGIC, read_mxnet_params

# Where trainers keep the weights in their checkpoints.
# A run's moving average of the weights goes before the weights.
_CONTAINERS = ("ema_state", "model_state", "state_dict")
# How files begin that torch.save wrote: zip archives, and a magic number before torch 1.6.
_TORCH_MAGIC = (b"PK\x03\x04", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.")
_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True)
class StoredWeights:
    """A state dict as it was stored.

    Attributes:
        name: what to call it in messages.
        state: key -> tensor.
        caffe2: whether the keys are Caffe2's names of blobs.
        mxnet: whether an MXNet file had it, whose layers name their parameters in MXNet's way.
        normalize: `normalize` of the GloRe units it was trained with, where that is known.
    """

    name: str
    state: dict[str, Tensor]
    caffe2: bool = False
    mxnet: bool = False
    normalize: bool | None = None


def read_weights(source: str | Path | Mapping[str, Any]) -> StoredWeights:
    """Reads weights, whatever wrote them.

    Args:
        source: a file (.safetensors; anything torch.save wrote: a state dict, alone or under
            "ema_state" (which goes first), "model_state" or "state_dict"; a Caffe2 pickle; MXNet's
            .params), or the content of one.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not a checkpoint, or more than tensors and plain containers are
            needed to read it.
    """
    if isinstance(source, Mapping):
        return _from_content(source, "the given state dict")
    path = Path(source)
    if not path.is_file():
        raise MissingFileError(f"no weights file {path}")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    with path.open("rb") as file:
        start = file.read(16)
    if start.startswith(_GZIP_MAGIC):
        raise UsageError(f"{path} is a gzip archive; unpack it and name the checkpoint in it")
    if start.startswith(MXNET_MAGIC):
        return StoredWeights(str(path), read_mxnet_params(path), mxnet=True)
    if not start.startswith(_TORCH_MAGIC):
        try:
            blobs = read_caffe2_pickle(path)
        except RefusedPickleError as error:
            raise UsageError(f"{path} is refused: to unpickle it would run {error}") from None
        if blobs is not None:
            return StoredWeights(str(path), blobs, caffe2=True)
    return _from_content(_read_torch(path), str(path))


def save_weights(model: nn.Module, path: str | Path) -> None:
    """Writes a network's weights to a file that `load_weights` reads.

    A name that ends in .safetensors gives that format (it needs the safetensors package), any
    other one torch's. Whether the GloRe units normalise is noted in the file.

    Raises:
        ValueError: if safetensors is not installed, or units differ in `normalize`.
    """
    path = Path(path)
    modes = {unit.normalize for unit in units_that_may_normalize(model).values()}
    if len(modes) > 1:
        raise UsageError("some GloRe units of the network normalise and some do not")
    normalize = modes.pop() if modes else None
    # Clones: safetensors refuses tensors that share memory.
    state = {key: value.detach().cpu().clone() for key, value in model.state_dict().items()}
    if path.suffix != ".safetensors":
        content = io.BytesIO()  # torch would hide the error of a full disk in one of its own
        torch.save({"model_state": state, "glore_normalize": normalize}, content)
        with writing(path):
            # A copy: a view that outlives an error here would keep the buffer from being freed.
            path.write_bytes(content.getvalue())
        return
    metadata = {"format": "pt", "glore_normalize": str(normalize)}
    contiguous = {key: value.contiguous() for key, value in state.items()}
    _safetensors(path).save_file(contiguous, path, metadata)


def _read_safetensors(path: Path) -> StoredWeights:
    safetensors = _safetensors(path)
    try:
        state = safetensors.load_file(path)
        with importlib.import_module("safetensors").safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except Exception as error:  # its own error type, known only where it is installed
        raise UsageError(f"{path} is not a safetensors file: {error}") from None
    normalize = {"True": True, "False": False}.get(metadata.get("glore_normalize", ""))
    return _from_content({"model_state": state, "glore_normalize": normalize}, str(path))


def _safetensors(path: Path) -> Any:
    try:
        return importlib.import_module("safetensors.torch")
    except ImportError:
        raise UsageError(f"{path} needs the safetensors package") from None


def _read_torch(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        needs = re.search(r"GLOBAL (\S+)", str(error))
        if needs:
            raise UsageError(
                f"{path} is refused: it holds more than tensors and plain containers, to read it "
                f"would run {needs[1]}"
            ) from None
        raise _unreadable(path, error) from None
    except OSError:
        raise
    except Exception as error:  # torch.load raises many kinds for damaged files
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> UsageError:
    return UsageError(f"{path} is not a checkpoint that torch.load can read: {load_failure(error)}")


def _from_content(content: Any, name: str) -> StoredWeights:
    state: Any = content
    for key in _CONTAINERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            state = content[key]
            break
    if (
        not isinstance(state, Mapping)
        or not state
        or not all(isinstance(v, Tensor) and isinstance(k, str) for k, v in state.items())
    ):
        raise UsageError(
            f"{name} is not a checkpoint: it needs a state dict, alone or under "
            f"{' or '.join(_CONTAINERS)}"
        )
    return StoredWeights(name, dict(state), normalize=_noted_normalize(content))


def _noted_normalize(content: Mapping[str, Any]) -> bool | None:
    """`normalize` as `save_weights` notes it, or as the config in a training checkpoint has it."""
    noted = content.get("glore_normalize")
    config = content.get("config")
    if noted is None and isinstance(config, Mapping) and isinstance(config.get("GLORE"), Mapping):
        noted = config["GLORE"].get("NORMALIZE")
    return noted if isinstance(noted, bool) else None
