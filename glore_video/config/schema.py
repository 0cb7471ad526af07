"""The configuration: all sections and keys, each with its type, default and one line of meaning.

Names are SlowFast's (slowfast/config/defaults.py) wherever the meaning is the same. All models are
frozen and refuse unknown keys; loading.py turns YAML files and command-line pairs into a `Config`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from glore_video.config.augmentation_keys import Aug, Mixup
from glore_video.config.data_keys import Data, DataLoader, Synthetic
from glore_video.config.fields import (
    BlockLocations,
    Int,
    NonNegative,
    Positive,
    Seconds,
    Section,
    Seed,
    key,
)
from glore_video.config.head_keys import Head
from glore_video.config.model_keys import Glore, Model, NonLocal, ResNet, SlowFast
from glore_video.config.training_keys import (
    BatchNorm,
    FinalTest,
    Loss,
    Solver,
    TensorBoard,
    Train,
)
from glore_video.errors import UsageError

VIDEO_CLASSIFICATION = "video_classification"  # SlowFast's name for it is ""


class Config(Section):
    TASK: Annotated[str, BeforeValidator(lambda value: value or VIDEO_CLASSIFICATION)] = key(
        VIDEO_CLASSIFICATION, "what the samples are and what is learnt of them"
    )
    TRAIN: Train = key(Train(), "training")
    TEST: FinalTest = key(FinalTest(), "testing")
    DATA: Data = key(Data(), "videos, pictures, clips and crops")
    AUG: Aug = key(Aug(), "augmentation of training clips and pictures")
    MIXUP: Mixup = key(Mixup(), "mixup and cutmix")
    SYNTHETIC: Synthetic = key(Synthetic(), "the synthetic data set")
    MODEL: Model = key(Model(), "network")
    RESNET: ResNet = key(ResNet(), "backbone")
    SLOWFAST: SlowFast = key(SlowFast(), "SlowFast's two pathways")
    HEAD: Head = key(Head(), "head of a segmentation network")
    GLORE: Glore = key(Glore(), "GloRe units")
    NONLOCAL: NonLocal = key(NonLocal(), "non-local blocks")
    LOSS: Loss = key(Loss(), "loss of pixels")
    SOLVER: Solver = key(Solver(), "optimiser and schedule")
    BN: BatchNorm = key(BatchNorm(), "batch norm")
    DATA_LOADER: DataLoader = key(DataLoader(), "reading processes")
    TENSORBOARD: TensorBoard = key(TensorBoard(), "tensorboard")
    NUM_GPUS: Annotated[Int, Field(ge=-1)] = key(
        1,
        "GPUs on this machine, one process each; 0: the CPU; -1: one if there is one, else the CPU",
    )
    CUDNN_BENCHMARK: bool = key(
        True,
        "on a GPU, time cuDNN's algorithms for the first few shapes of batches and keep the fastest",
    )
    CPU_PROCESSES: Positive = key(1, "training processes when NUM_GPUS is 0")
    CPU_THREADS: NonNegative = key(
        0, "computing threads a process on the CPU; 0: the fastest number of a few timed steps"
    )
    DIST_TIMEOUT: Seconds = key(
        1800, "seconds without progress after which processes that wait for another end; 0: never"
    )
    OUTPUT_DIR: str = key("outputs", "where the run leaves its files")
    RNG_SEED: Seed = key(0, "seed of weights, order of videos, clips and crops")
    LOG_PERIOD: Positive = key(10, "steps between log lines")

    @model_validator(mode="after")
    def _one_network(self) -> Config:
        name = self.MODEL.NAME
        if self.MODEL.PRETRAINED and not name:
            raise UsageError("MODEL.PRETRAINED = True needs MODEL.NAME, a network by name")
        if self.MODEL.OPTIONS and "/" not in name:
            raise UsageError(
                f"MODEL.OPTIONS = {self.MODEL.OPTIONS}: for networks of timm, torchvision and "
                f"pytorchvideo, and MODEL.NAME is {name or 'not set'}"
            )
        if self.MODEL.PRETRAINED and self.TRAIN.CHECKPOINT_FILE_PATH:
            raise UsageError(
                "MODEL.PRETRAINED = True and TRAIN.CHECKPOINT_FILE_PATH exclude each other"
            )
        for section, keys in (("GLORE", self.GLORE), ("NONLOCAL", self.NONLOCAL)):
            if keys.AFTER and keys.LOCATION:
                raise UsageError(f"{section}.AFTER and {section}.LOCATION exclude each other")
            for other in ("AFTER", "LOCATION"):
                if keys.UNITS and getattr(keys, other):
                    raise UsageError(f"{section}.UNITS and {section}.{other} exclude each other")
            if keys.LOCATION and "/" in name:
                raise UsageError(
                    f"{section}.LOCATION is for networks of this package; name the blocks of "
                    f"MODEL.NAME = {name} in {section}.AFTER"
                )
        if name:
            unused = [
                full
                for full, value in (
                    ("MODEL.ARCH", self.MODEL.ARCH == Model().ARCH),
                    ("MODEL.DROPOUT_RATE", self.MODEL.DROPOUT_RATE == Model().DROPOUT_RATE),
                    ("RESNET", self.RESNET == ResNet()),
                    ("SLOWFAST", self.SLOWFAST == SlowFast()),
                )
                if not value
            ]
            if unused:
                raise UsageError(
                    f"{', '.join(unused)}: of no use with MODEL.NAME = {name}, which says it all"
                )
        return self

    @model_validator(mode="after")
    def _parts_fit(self) -> Config:
        if self.TASK == VIDEO_CLASSIFICATION:
            self.DATA.check_training_crop()
        if self.GLORE.LOCATION and self.NONLOCAL.LOCATION:
            glore = {(s, p, b) for s, p, b in _blocks(self.GLORE.LOCATION)}
            shared = sorted(glore & set(_blocks(self.NONLOCAL.LOCATION)))
            if shared:
                raise UsageError(
                    "GLORE.LOCATION and NONLOCAL.LOCATION both name stage {}, pathway {}, block {}".format(
                        *shared[0]
                    )
                )
        if self.MODEL.ARCH == "slowfast" and self.DATA.NUM_FRAMES % self.SLOWFAST.ALPHA:
            raise UsageError(
                f"DATA.NUM_FRAMES = {self.DATA.NUM_FRAMES} is not a multiple of "
                f"SLOWFAST.ALPHA = {self.SLOWFAST.ALPHA}"
            )
        kernels = self.RESNET.NUM_BLOCK_TEMP_KERNEL
        pathways = 2 if self.MODEL.ARCH == "slowfast" else 1
        if kernels and (len(kernels) != 4 or min(map(len, kernels)) < pathways):
            raise UsageError(
                f"RESNET.NUM_BLOCK_TEMP_KERNEL = {[list(stage) for stage in kernels]}: four stages "
                f"are expected, each with a number for each of {pathways} pathways"
                if pathways > 1
                else f"RESNET.NUM_BLOCK_TEMP_KERNEL = {[list(stage) for stage in kernels]}: four "
                "stages are expected, each with a number in brackets"
            )
        blocks = (3, 4, 6 if self.RESNET.DEPTH == 50 else 23, 3)
        if any(max(stage) > most for stage, most in zip(kernels, blocks, strict=False)):
            raise UsageError(
                f"RESNET.NUM_BLOCK_TEMP_KERNEL = {[list(stage) for stage in kernels]}: at most "
                f"{list(blocks)}, the blocks of RESNET.DEPTH = {self.RESNET.DEPTH}"
            )
        if self.SYNTHETIC.LABELS in ("pair", "same") and self.DATA.RANDOM_FLIP:
            raise UsageError(
                f"SYNTHETIC.LABELS = {self.SYNTHETIC.LABELS} needs DATA.RANDOM_FLIP False: a mirrored "
                "sample has another label (SYNTHETIC.LABELS none: the samples are your own)"
            )
        return self


def _blocks(location: BlockLocations) -> list[tuple[int, int, int]]:
    return [
        (stage, pathway, block)
        for stage, pathways in enumerate(location)
        for pathway, blocks in enumerate(pathways)
        for block in blocks
    ]
