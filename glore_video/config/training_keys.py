"""Keys of training, testing, optimiser and logs."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from glore_video.choices import ViewSpacing
from glore_video.config.fields import (
    BelowOne,
    Fraction01,
    NonNegative,
    NonNegativeFloat,
    NumCrops,
    Positive,
    PositiveFloat,
    Section,
    Share,
    key,
)
from glore_video.errors import UsageError


class Train(Section):
    ENABLE: bool = key(True, "train before testing")
    DATASET: str = key("kinetics", "name of the data set, for the log only")
    SPLIT: Literal["train", "trainval", "trainaug"] = key(
        "train",
        "segmentation: the list that is trained on; Pascal VOC has trainval, and trainaug with the "
        "masks of Hariharan et al. 2011",
    )
    BATCH_SIZE: Positive = key(
        64, "videos a step over all processes together, each with AUG.NUM_SAMPLE clips"
    )
    ACCUMULATION_STEPS: Positive = key(
        1, "equal parts of a step's clips, computed one after another: less memory"
    )
    EMA_DECAY: BelowOne = key(
        0.0, "moving average of the weights, validated beside them, kept in checkpoints; 0: none"
    )
    EVAL_PERIOD: Positive = key(
        10, "epochs between validations (the last epoch is always validated)"
    )
    CHECKPOINT_PERIOD: Positive = key(10, "epochs between checkpoints (the last is always kept)")
    CHECKPOINT_STEPS: NonNegative = key(0, "steps between checkpoints within an epoch; 0: none")
    KEEP_CHECKPOINTS: NonNegative = key(
        0, "checkpoints after whole epochs to keep, the last ones and the best; 0: all"
    )
    AUTO_RESUME: bool = key(True, "go on from the last checkpoint in OUTPUT_DIR if there is one")
    RESUME_CHANGED: bool = key(
        False, "go on from it though settings that change what is trained are others than before"
    )
    CHECKPOINT_FILE_PATH: str = key(
        "", "weights to start from: a file, or another run's OUTPUT_DIR (its last checkpoint)"
    )
    CHECKPOINT_ALLOW: tuple[Literal["head", "units"], ...] = key(
        (), "groups of parameters that CHECKPOINT_FILE_PATH may lack: head, units"
    )
    MIXED_PRECISION: bool = key(False, "forward pass under autocast, in AMP_DTYPE")
    AMP_DTYPE: Literal["bf16", "fp16"] = key("bf16", "autocast type; fp16 scales the loss")
    FP32_PRECISION: Literal["default", "highest", "high", "medium"] = key(
        "default",
        "products of float32 numbers: highest: in float32; high: in TF32 on a GPU that has it; medium: "
        "that, and bf16 on a CPU that multiplies in it; default: convolutions in TF32, the rest in "
        "float32",
    )


class FinalTest(Section):
    ENABLE: bool = key(True, "test after training")
    DATASET: str = key("kinetics", "name of the data set, for the log only")
    BATCH_SIZE: Positive = key(8, "clips (views) a forward pass, over all processes together")
    CHECKPOINT_FILE_PATH: str = key(
        "", "weights to test: a file or a run's OUTPUT_DIR; empty: this run's last checkpoint"
    )
    SPLIT: Literal["test", "val"] = key(
        "test", "what is tested; val: the validation videos, where there are no others"
    )
    EMA: bool = key(True, "test the moving average of the weights where a checkpoint has one")
    NUM_ENSEMBLE_VIEWS: Positive = key(10, "clips a video, spread evenly over its length")
    NUM_SPATIAL_CROPS: NumCrops = key(
        3,
        "crops of a clip: 3 along the longer side, or the centre; of a picture: 5, the centre and the "
        "corners, or the centre",
    )
    VIEW_SPACING: ViewSpacing = key(
        "slowfast",
        "clip i of N starts at i*delta/N (slowfast) or i*delta/(N-1) (ends: reaches the last frame)",
    )
    SCALES: tuple[PositiveFloat, ...] = key(
        (1.0,),
        "pictures: factors of DATA.TEST_SHORT_SIDE, each gives views of its own; in a segmentation of "
        "the picture's size",
    )
    FLIP: bool = key(False, "pictures: mirror images of all views too")
    WINDOW: tuple[Positive, ...] = key(
        (), "segmentation: height and width of sliding windows, pixels; empty: whole pictures"
    )
    WINDOW_STRIDE: Share = key(
        0.6667, "segmentation: from one window to the next, a share of their size"
    )
    SAVE_PREDICTIONS: bool = key(
        False, "segmentation: keep the predictions of a test, OUTPUT_DIR/test/predictions/*.png"
    )


class Solver(Section):
    OPTIMIZING_METHOD: Literal["sgd", "adam", "adamw", "lamb"] = key(
        "sgd", "optimiser; lamb is timm's, whose own clipping is CLIP_GRAD_L2NORM 1.0 here"
    )
    BASE_LR: NonNegativeFloat = key(0.1, "learning rate for TRAIN.BATCH_SIZE, as it is")
    BASE_LR_BATCH: NonNegative = key(
        0,
        "clips a step that BASE_LR, WARMUP_START_LR and COSINE_END_LR are meant for: they are "
        "multiplied by TRAIN.BATCH_SIZE over it; 0: never",
    )
    LR_FACTOR_3X3: NonNegativeFloat = key(
        1.0, "learning rate of 1x3x3 convolutions over that of all else"
    )
    LR_FACTOR_HEAD: NonNegativeFloat = key(
        1.0, "learning rate of the classifier, or of a segmentation's heads, over that of all else"
    )
    LR_POLICY: Literal["cosine", "poly", "steps_with_relative_lrs"] = key(
        "cosine", "learning rate over epochs"
    )
    COSINE_END_LR: NonNegativeFloat = key(
        0.0, "learning rate that the cosine, or the polynomial, ends at"
    )
    COSINE_AFTER_WARMUP: bool = key(
        False, "the cosine, or the polynomial, starts after the warm-up, not at epoch 0"
    )
    POLY_POWER: PositiveFloat = key(
        0.9, "exponent of LR_POLICY poly: BASE_LR * (1 - share of the epochs done) ** POLY_POWER"
    )
    STEPS: tuple[NonNegativeFloat, ...] = key(
        (), "where each of LRS begins, in STEP_UNIT; the first is 0"
    )
    STEP_UNIT: Literal["epochs", "clips"] = key(
        "epochs", "what STEPS count: epochs, or training clips"
    )
    LRS: tuple[NonNegativeFloat, ...] = key(
        (), "learning rates from each of STEPS on, over BASE_LR"
    )
    MAX_EPOCH: Positive = key(300, "epochs to train")
    MOMENTUM: BelowOne = key(0.9, "momentum")
    DAMPENING: NonNegativeFloat = key(0.0, "dampening of the momentum")
    NESTEROV: bool = key(True, "Nesterov's momentum")
    BETAS: tuple[BelowOne, BelowOne] = key((0.9, 0.999), "running averages of Adam and LAMB")
    WEIGHT_DECAY: NonNegativeFloat = key(1e-4, "weight decay (batch norm: BN.WEIGHT_DECAY)")
    ZERO_WD_1D_PARAM: bool = key(False, "no weight decay on biases and other vectors")
    ZERO_WD_BIAS: bool = key(False, "no weight decay on any bias, batch norm's included")
    WARMUP_EPOCHS: NonNegativeFloat = key(0.0, "epochs of linear warm-up")
    WARMUP_STEPS: NonNegative = key(0, "steps of linear warm-up, in place of WARMUP_EPOCHS")
    WARMUP_START_LR: NonNegativeFloat = key(0.01, "learning rate that the warm-up starts from")
    CLIP_GRAD_VAL: NonNegativeFloat = key(0.0, "greatest absolute value in a gradient; 0: off")
    CLIP_GRAD_L2NORM: NonNegativeFloat = key(0.0, "greatest norm of the whole gradient; 0: off")

    @model_validator(mode="after")
    def _schedule_is_whole(self) -> Solver:
        if self.LR_POLICY == "steps_with_relative_lrs":
            steps = list(self.STEPS)
            if not steps or steps[0] != 0 or steps != sorted(steps) or len(steps) > len(self.LRS):
                raise UsageError(
                    f"SOLVER.STEPS = {steps} and SOLVER.LRS = {list(self.LRS)}: a rate for each step "
                    "is needed, STEPS rising from 0"
                )
        if (
            self.OPTIMIZING_METHOD == "sgd"
            and self.NESTEROV
            and (self.MOMENTUM == 0 or self.DAMPENING != 0)
        ):
            raise UsageError(
                f"SOLVER.NESTEROV = True needs SOLVER.MOMENTUM above 0 (is {self.MOMENTUM}) and "
                f"SOLVER.DAMPENING 0 (is {self.DAMPENING})"
            )
        return self


class Loss(Section):
    CLASS_WEIGHTS: tuple[NonNegativeFloat, ...] = key(
        (), "segmentation: weights of the classes, by class; empty: all 1"
    )
    AUXILIARY: NonNegativeFloat = key(
        0.4, "segmentation: factor of the loss of an auxiliary head, where the network has one"
    )
    OHEM_THRESHOLD: Fraction01 = key(
        0.0,
        "segmentation: only pixels whose true class is less probable have a loss (online hard example "
        "mining); 0: all have",
    )
    OHEM_MIN_KEPT: NonNegative = key(
        100_000, "segmentation: with OHEM_THRESHOLD, pixels of a picture that have one at least"
    )


class BatchNorm(Section):
    NORM_TYPE: Literal["batchnorm", "sub_batchnorm", "sync_batchnorm"] = key(
        "batchnorm",
        "training statistics over a process' clips, over each of NUM_SPLITS parts of them, or over "
        "the clips of all processes (GPUs only)",
    )
    NUM_SPLITS: Positive = key(1, "parts of a process' clips for sub_batchnorm")
    FREEZE_AFFINE: bool = key(False, "batch norm weights and biases are not trained")
    USE_PRECISE_STATS: bool = key(
        False, "before validating or saving, take batch norm statistics anew over whole batches"
    )
    NUM_BATCHES_PRECISE: Positive = key(200, "batches for USE_PRECISE_STATS (at most an epoch's)")
    WEIGHT_DECAY: NonNegativeFloat = key(0.0, "weight decay on batch norm weights and biases")


class TensorBoard(Section):
    ENABLE: bool = key(True, "write OUTPUT_DIR/tensorboard")
