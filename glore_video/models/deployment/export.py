"""Networks as files that run without this package: ONNX, torch.export and AOTInductor packages."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from glore_video.choices import ExportFormat, check_choice
from glore_video.errors import MissingFileError, UsageError
from glore_video.files.whole_files import whole_path

Clips = Tensor | Sequence[Tensor]


def export_network(
    model: nn.Module, clips: Clips, path: str | Path, *, format: ExportFormat
) -> None:
    """Writes a network as one file, for inputs of this length and size and any number of them.

    The file appears whole or not at all.

    Args:
        model: a network in eval mode; `fuse_for_inference` first makes the file faster.
        clips: (batch, 3, frames, height, width), a list of such for SlowFast's two pathways, or
            pictures, (batch, 3, height, width); their values do not matter. The file's inputs are
            then named "clips", "slow_clips" and "fast_clips", or "pictures"; its output is
            "logits", (batch, classes), of a segmentation (batch, classes, height, width).
        path: file to write; of "aoti" it must end with .pt2.
        format: "onnx" (needs the packages onnx and onnxscript), "pt2" (a torch.export program, for
            `torch.export.load`), or "aoti" (compiled by AOTInductor for the device of the clips,
            for `torch._inductor.aoti_load_package`; needs a C++ compiler).

    Raises:
        ValueError: for another format, a network in train mode, "onnx" without those packages, or
            "aoti" under another ending.
        FileNotFoundError: if there is no folder for the file.
    """
    path = Path(path)
    check_choice("format", format, ExportFormat)
    if model.training:
        raise UsageError("only a network in eval mode can be exported: call model.eval() first")
    if not path.parent.is_dir():
        raise MissingFileError(f"no such folder: {path.parent}")
    if format == "onnx":
        _need("onnx", "onnxscript")
    if format == "aoti":
        if path.suffix != ".pt2":
            raise UsageError(f"AOTInductor packages end with .pt2, got {path.suffix!r}")
        # Of one clip the memory format can't be told: compiled for channels-last weights and any
        # number of clips, the first convolution read it in the wrong order.
        model = copy.deepcopy(model).to(memory_format=torch.contiguous_format)
    # A batch of one would be taken for a constant.
    example = _map(clips, lambda clip: clip[:1].expand(2, *clip.shape[1:]).contiguous())
    batch = torch.export.Dim("batch", min=1)
    shapes = ({0: batch} if isinstance(example, Tensor) else [{0: batch} for _ in example],)
    with torch.no_grad():
        program = torch.export.export(model, (example,), dynamic_shapes=shapes)
    with whole_path(path) as file:
        if format == "pt2":
            with warnings.catch_warnings():
                # Of channels-last weights it says that they may be incomplete; they are not.
                warnings.filterwarnings("ignore", "No complete tensor found")
                torch.export.save(program, file)
        elif format == "aoti":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # of torch 2.11's own calls
                torch._inductor.aoti_compile_and_package(program, package_path=str(file))
        else:
            _save_onnx(program, shapes, input_names(clips), file)


class MainOutput(nn.Module):
    """A network that returns a mapping (torchvision's for segmentation do) -> its "out" alone."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, clips: Clips) -> Tensor:
        logits: Tensor = self.network(clips)["out"]
        return logits


def with_one_output(model: nn.Module, clips: Clips) -> nn.Module:
    """The model, or of one that answers these clips with a mapping its `MainOutput`."""
    with torch.no_grad():
        if isinstance(model(clips), Mapping):
            return MainOutput(model).train(model.training)
        return model


def input_names(clips: Clips) -> list[str]:
    """Names of an ONNX file's inputs."""
    if isinstance(clips, Tensor):
        return ["clips" if clips.dim() == 5 else "pictures"]
    return ["slow_clips", "fast_clips"]


def load_exported(path: str | Path, *, format: ExportFormat) -> Callable[[Clips], Tensor]:
    """What a file of `export_network` computes: clips -> logits, on the CPU for ONNX.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for "onnx" without the package onnxruntime.
    """
    if not Path(path).is_file():
        raise MissingFileError(f"no such file: {path}")
    if format == "pt2":
        with warnings.catch_warnings():
            # Torch 2.11 reads weights into memory that it says it would not write to.
            warnings.filterwarnings("ignore", "The given buffer is not writable")
            return torch.export.load(path).module()
    if format == "aoti":
        return torch._inductor.aoti_load_package(str(path))
    _need("onnxruntime")
    session = import_module("onnxruntime").InferenceSession(
        str(path), providers=["CPUExecutionProvider"]
    )
    names = [entry.name for entry in session.get_inputs()]

    def run(clips: Clips) -> Tensor:
        tensors = [clips] if isinstance(clips, Tensor) else clips
        feeds = {name: t.numpy(force=True) for name, t in zip(names, tensors, strict=True)}
        return torch.from_numpy(session.run(None, feeds)[0])

    return run


def _save_onnx(program: Any, shapes: Any, names: list[str], path: Path) -> None:
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exported = torch.onnx.export(
                program,
                dynamo=True,
                verbose=False,
                input_names=names,
                output_names=["logits"],
                dynamic_shapes=shapes,
            )
    finally:
        logger.setLevel(level)
    assert exported is not None
    exported.save(path, external_data=False)


def _map(clips: Clips, function: Callable[[Tensor], Tensor]) -> Clips:
    return function(clips) if isinstance(clips, Tensor) else [function(clip) for clip in clips]


def _need(*packages: str) -> None:
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"ONNX files need {' and '.join(missing)}: pip install 'glore-video[export]'"
        )
