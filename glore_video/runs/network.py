"""The network, its precision and its weights."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from torch import nn

from glore_video.config import Config
from glore_video.config.model_keys import Glore, NonLocal
from glore_video.data.unicode_names import same_letters
from glore_video.engine.checkpoint import (
    checkpoint_path,
    last_checkpoint,
    read_checkpoint,
    read_notes,
    resolve_checkpoint,
    stored_names,
)
from glore_video.engine.compiling import Compiling
from glore_video.engine.precision import Precision
from glore_video.errors import MissingFileError, UsageError, naming
from glore_video.models import (
    SlowFastOptions,
    UnfitWeightsError,
    blocks_of_counts,
    build_network,
    insert_glore,
    insert_nonlocal,
    is_foreign,
    load_published_weights,
    load_weights,
    locate,
)
from glore_video.models.networks.inserted_units import inserted_units
from glore_video.runs.named_network import build_named, input_example
from glore_video.tasks import task_of

logger = logging.getLogger(__name__)


def build_model(config: Config) -> nn.Module:
    """The network with its units, initialised anew from torch's current seed."""
    model = task_of(config).build_network()
    if model is None:
        model = build_named(config) if config.MODEL.NAME else _build_arch(config)
    example = input_example(config) if is_foreign(config.MODEL.NAME) else None
    with _places("GLORE", config.GLORE, model) as after:
        if after:
            insert_glore(
                model,
                after=after,
                nodes=config.GLORE.NODES or None,
                states=config.GLORE.STATES or None,
                normalize=config.GLORE.NORMALIZE,
                form=config.GLORE.FORM,
                end=config.GLORE.END,
                relu=config.GLORE.RELU,
                scale=config.GLORE.SCALE,
                example=example,
            )
    with _places("NONLOCAL", config.NONLOCAL, model) as after:
        if after:
            insert_nonlocal(
                model,
                after=after,
                instantiation=config.NONLOCAL.INSTANTIATION,
                pool=config.NONLOCAL.pool,
                example=example,
            )
    build_compiling(config).check(model)
    return model.to(memory_format=task_of(config).memory_format)


def _build_arch(config: Config) -> nn.Module:
    return build_network(
        config.MODEL.ARCH,
        depth=config.RESNET.DEPTH,
        num_classes=config.MODEL.NUM_CLASSES,
        dropout_rate=config.MODEL.DROPOUT_RATE,
        zero_init_final_bn=config.RESNET.ZERO_INIT_FINAL_BN,
        slowfast=SlowFastOptions(
            alpha=config.SLOWFAST.ALPHA,
            beta_inv=config.SLOWFAST.BETA_INV,
            fusion_conv_channel_ratio=config.SLOWFAST.FUSION_CONV_CHANNEL_RATIO,
            fusion_kernel_size=config.SLOWFAST.FUSION_KERNEL_SZ,
        ),
        num_block_temp_kernel=config.RESNET.NUM_BLOCK_TEMP_KERNEL or None,
    )


@contextmanager
def _places(section: str, keys: Glore | NonLocal, model: nn.Module) -> Iterator[list[str]]:
    """Blocks that units stand after, as `insert_glore` takes them; errors within it name the key."""
    if keys.AFTER:
        with naming(f"{section}.AFTER = {list(keys.AFTER)}"):
            yield list(keys.AFTER)
    elif keys.LOCATION:
        with naming(f"{section}.LOCATION = {_plain(keys.LOCATION)}"):
            yield locate(model, keys.LOCATION)
    elif keys.UNITS:
        with naming(f"{section}.UNITS = {list(keys.UNITS)}"):
            yield blocks_of_counts(model, keys.UNITS)
    else:
        yield []


def _plain(location: Sequence[Sequence[Sequence[int]]]) -> list[list[list[int]]]:
    """As it is written in YAML."""
    return [[list(blocks) for blocks in pathways] for pathways in location]


def build_precision(config: Config, device: torch.device) -> Precision:
    names = {"bf16": torch.bfloat16, "fp16": torch.float16}
    return Precision(
        device=device,
        amp_dtype=names[config.TRAIN.AMP_DTYPE] if config.TRAIN.MIXED_PRECISION else None,
        cudnn_benchmark=config.CUDNN_BENCHMARK,
    )


def build_compiling(config: Config) -> Compiling:
    """What of the network is compiled; units are GloRe units and inserted non-local blocks."""
    return Compiling(
        config.MODEL.COMPILE,
        config.MODEL.COMPILE_MODE,
        units=lambda network: inserted_units(network).values(),
    )


def load_initial_weights(config: Config, model: nn.Module, *, log: bool = True) -> None:
    """Start from TRAIN.CHECKPOINT_FILE_PATH or, with MODEL.PRETRAINED, from what is published.

    `log` says what was loaded.
    """
    if config.MODEL.PRETRAINED:
        with naming(f"MODEL.PRETRAINED = True, MODEL.NAME = {config.MODEL.NAME}"):
            report = load_published_weights(model, config.MODEL.NAME)
        if log:
            logger.info("starting from published weights: %s", report)
    if config.TRAIN.CHECKPOINT_FILE_PATH:
        path = resolve_checkpoint(
            config.TRAIN.CHECKPOINT_FILE_PATH, key="TRAIN.CHECKPOINT_FILE_PATH"
        )
        with in_keys("TRAIN.CHECKPOINT_FILE_PATH", allow_key="TRAIN.CHECKPOINT_ALLOW"):
            report = load_weights(model, path, allow=config.TRAIN.CHECKPOINT_ALLOW)
        if log:
            logger.info("starting from %s: %s", path, report)


def load_test_weights(config: Config, model: nn.Module, checkpoint: Path | str) -> None:
    """Load what is tested: a run's moving average of the weights if it has one and TEST.EMA."""
    source: Path | str | dict[str, Any] = checkpoint
    if not config.TEST.EMA and Path(checkpoint).is_file():
        with suppress(ValueError):  # not of a run: `load_weights` knows other kinds
            state = read_checkpoint(Path(checkpoint))
            source = {key: value for key, value in state.items() if key != "ema_state"}
    with in_keys(_test_weights_key(config)):
        load_weights(model, source)


def check_tested_classes(config: Config, class_names: Sequence[str]) -> None:
    """Raises UsageError if what is tested has learnt a class under another label than it has here."""
    checkpoint = Path(checkpoint_to_test(config))
    learnt = {
        same_letters(name): label for label, name in enumerate(stored_names(read_notes(checkpoint)))
    }
    for label, name in enumerate(class_names):
        if learnt.get(name, label) != label and class_names.count(name) == 1:
            raise UsageError(
                f"{_test_weights_key(config)}: in {checkpoint} {name!r} has label {learnt[name]}, in "
                f"DATA.PATH_TO_DATA_DIR = {config.DATA.PATH_TO_DATA_DIR} label {label}; for class folders, "
                "a class_names.txt there (a class a line, that of label 0 first) gives them its labels"
            )


@contextmanager
def in_keys(source: str, *, allow_key: str = "") -> Iterator[None]:
    """Errors of `load_weights` in keys: of the configuration, not in the words of its arguments.

    Args:
        source: key or flag that named the weights.
        allow_key: key that names groups of parameters which may start anew, if there is one here.
    """
    with naming(source):
        try:
            yield
        except UnfitWeightsError as error:
            raise UsageError(f"{error.problem}{advice(error, allow_key)}") from None


def advice(error: UnfitWeightsError, allow_key: str = "") -> str:
    """What would make the weights fit, in keys of the configuration: "; KEY VALUE ..."."""
    parts = []
    if error.normalize is not None:
        parts.append(f"GLORE.NORMALIZE {error.normalize} in the configuration fits them")
    if error.groups and allow_key:
        parts.append(f'{allow_key} "[{", ".join(error.groups)}]" accepts it')
    elif error.classes is not None:
        parts.append(f"MODEL.NUM_CLASSES {error.classes} in the configuration fits it")
    elif "units" in error.groups:
        parts.append("GLORE.LOCATION and NONLOCAL.LOCATION must be those it was trained with")
    return "".join(f"; {part}" for part in parts)


def _test_weights_key(config: Config) -> str:
    """The key that names what is tested."""
    if config.TEST.CHECKPOINT_FILE_PATH:
        return "TEST.CHECKPOINT_FILE_PATH"
    if last_checkpoint(config.OUTPUT_DIR) is not None:
        return f"OUTPUT_DIR = {config.OUTPUT_DIR}"
    return "TRAIN.CHECKPOINT_FILE_PATH"


def checkpoint_to_test(config: Config) -> Path | str:
    """The weights to test: TEST.CHECKPOINT_FILE_PATH, this run's last, or those it starts from."""
    if config.TEST.CHECKPOINT_FILE_PATH:
        return resolve_checkpoint(config.TEST.CHECKPOINT_FILE_PATH, key="TEST.CHECKPOINT_FILE_PATH")
    last = last_checkpoint(config.OUTPUT_DIR)
    if last is not None:
        return last
    if config.TRAIN.CHECKPOINT_FILE_PATH:
        return resolve_checkpoint(
            config.TRAIN.CHECKPOINT_FILE_PATH, key="TRAIN.CHECKPOINT_FILE_PATH"
        )
    raise MissingFileError(
        f"no weights to test: no {checkpoint_path(config.OUTPUT_DIR, 1).parent}/"
        f"checkpoint_epoch_*.pyth (OUTPUT_DIR = {config.OUTPUT_DIR}) and "
        "TEST.CHECKPOINT_FILE_PATH is empty"
    )
