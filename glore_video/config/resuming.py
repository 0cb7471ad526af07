"""Which keys a resumed run may change: those that do not change what is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from glore_video.config.loading import flatten
from glore_video.config.schema import Config

# Files, hardware, reports, the final test; of what is computed at most the rounding.
FREE_KEYS = frozenset(
    """
    TRAIN.ENABLE TRAIN.DATASET TRAIN.EVAL_PERIOD TRAIN.CHECKPOINT_PERIOD TRAIN.CHECKPOINT_STEPS
    TRAIN.KEEP_CHECKPOINTS TRAIN.AUTO_RESUME TRAIN.RESUME_CHANGED TRAIN.CHECKPOINT_FILE_PATH
    TRAIN.CHECKPOINT_ALLOW
    TEST.ENABLE TEST.DATASET TEST.BATCH_SIZE TEST.CHECKPOINT_FILE_PATH TEST.SPLIT TEST.EMA
    TEST.NUM_ENSEMBLE_VIEWS TEST.NUM_SPATIAL_CROPS TEST.VIEW_SPACING TEST.SCALES TEST.FLIP
    TEST.WINDOW TEST.WINDOW_STRIDE TEST.SAVE_PREDICTIONS
    DATA.PATH_TO_DATA_DIR DATA.PATH_PREFIX DATA.PATH_LABEL_SEPARATOR DATA.CLASS_NAMES_PATH
    DATA.VAL_LABELS_PATH
    DATA.TEST_CROP_SIZE DATA.TEST_SHORT_SIDE DATA.MAX_BAD_FRACTION
    MODEL.PRETRAINED MODEL.CHANNELS_LAST MODEL.ACT_CHECKPOINT MODEL.COMPILE
    MODEL.COMPILE_MODE
    DATA_LOADER.NUM_WORKERS DATA_LOADER.PIN_MEMORY DATA_LOADER.VIDEO_TIMEOUT
    DATA_LOADER.VIDEO_TIMEOUT_ACTION
    TENSORBOARD.ENABLE NUM_GPUS CUDNN_BENCHMARK CPU_PROCESSES CPU_THREADS DIST_TIMEOUT OUTPUT_DIR LOG_PERIOD
    """.split()
)
# Network, clips, augmentation, optimiser, schedule.
BINDING_KEYS = frozenset(
    """
    TASK
    TRAIN.SPLIT TRAIN.BATCH_SIZE TRAIN.ACCUMULATION_STEPS TRAIN.EMA_DECAY TRAIN.MIXED_PRECISION
    TRAIN.AMP_DTYPE TRAIN.FP32_PRECISION
    DATA.NUM_FRAMES DATA.SAMPLING_RATE DATA.CLIP_SPACING DATA.TARGET_FPS DATA.SHORT_VIDEO
    DATA.DECODING_BACKEND DATA.DAMAGED_VIDEO DATA.TRAIN_JITTER_SCALES DATA.TRAIN_JITTER_ASPECT
    DATA.TRAIN_JITTER_SCALES_RELATIVE DATA.TRAIN_JITTER_ASPECT_RELATIVE DATA.INV_UNIFORM_SAMPLE
    DATA.TRAIN_CROP_SIZE DATA.VAL_SHORT_SIDE DATA.RANDOM_FLIP DATA.MEAN DATA.STD
    DATA.INTERPOLATION DATA.CROP_MODE DATA.MAX_PIXELS DATA.TRAIN_SCALES DATA.TRAIN_CROP_HEIGHT
    HEAD.FORM HEAD.CHANNELS HEAD.NODES HEAD.STATES HEAD.DROPOUT HEAD.AUXILIARY HEAD.OUTPUT_STRIDE
    HEAD.MULTI_GRID
    LOSS.CLASS_WEIGHTS LOSS.AUXILIARY LOSS.OHEM_THRESHOLD LOSS.OHEM_MIN_KEPT
    AUG.ENABLE AUG.NUM_SAMPLE AUG.COLOR_JITTER AUG.AA_TYPE AUG.INTERPOLATION AUG.AA_ON_CROP
    AUG.RE_PROB AUG.RE_MODE AUG.RE_COUNT AUG.RE_SPLIT AUG.HLS_JITTER AUG.PIXEL_JITTER
    AUG.LABEL_SMOOTHING
    MIXUP.ENABLE MIXUP.ALPHA MIXUP.CUTMIX_ALPHA MIXUP.PROB MIXUP.SWITCH_PROB
    MIXUP.LABEL_SMOOTH_VALUE
    SYNTHETIC.LABELS SYNTHETIC.NUM_TRAIN SYNTHETIC.NUM_VAL SYNTHETIC.NUM_FRAMES SYNTHETIC.SIZE
    SYNTHETIC.SEED
    MODEL.NAME MODEL.OPTIONS MODEL.ARCH MODEL.NUM_CLASSES MODEL.FROZEN_BN MODEL.DROPOUT_RATE
    MODEL.LOSS_FUNC MODEL.BCE_TARGET_THRESHOLD
    RESNET.DEPTH RESNET.NUM_BLOCK_TEMP_KERNEL RESNET.ZERO_INIT_FINAL_BN
    SLOWFAST.ALPHA SLOWFAST.BETA_INV SLOWFAST.FUSION_CONV_CHANNEL_RATIO SLOWFAST.FUSION_KERNEL_SZ
    GLORE.LOCATION GLORE.AFTER GLORE.UNITS GLORE.NORMALIZE GLORE.NODES GLORE.STATES
    GLORE.SCALE GLORE.FORM GLORE.END GLORE.RELU
    NONLOCAL.LOCATION NONLOCAL.AFTER NONLOCAL.UNITS NONLOCAL.INSTANTIATION NONLOCAL.POOL
    SOLVER.OPTIMIZING_METHOD SOLVER.BASE_LR SOLVER.BASE_LR_BATCH SOLVER.LR_FACTOR_3X3
    SOLVER.LR_FACTOR_HEAD
    SOLVER.LR_POLICY SOLVER.COSINE_END_LR SOLVER.COSINE_AFTER_WARMUP SOLVER.POLY_POWER SOLVER.STEPS SOLVER.STEP_UNIT
    SOLVER.LRS SOLVER.MAX_EPOCH SOLVER.MOMENTUM SOLVER.DAMPENING SOLVER.NESTEROV SOLVER.BETAS
    SOLVER.WEIGHT_DECAY SOLVER.ZERO_WD_1D_PARAM SOLVER.ZERO_WD_BIAS SOLVER.WARMUP_EPOCHS
    SOLVER.WARMUP_STEPS SOLVER.WARMUP_START_LR SOLVER.CLIP_GRAD_VAL SOLVER.CLIP_GRAD_L2NORM
    BN.NORM_TYPE BN.NUM_SPLITS BN.FREEZE_AFFINE BN.USE_PRECISE_STATS BN.NUM_BATCHES_PRECISE
    BN.WEIGHT_DECAY
    RNG_SEED
    """.split()
)


# Values that earlier versions wrote, and today's of the same meaning.
_TODAY: dict[str, dict[Any, Any]] = {"MODEL.COMPILE": {True: "all", False: ""}}


class Change(NamedTuple):
    """A key whose value is another than in the run that is resumed.

    Attributes:
        binding: it changes what is trained.
    """

    key: str
    before: Any
    now: Any
    binding: bool

    def __str__(self) -> str:
        stretched = self.key == "SOLVER.MAX_EPOCH" and self.binding
        why = " (the curve of the learning rate is drawn over all of them)" if stretched else ""
        return f"{self.key} = {self.now!r}, was {self.before!r}{why}"


def changes(before: Mapping[str, Any], config: Config) -> list[Change]:
    """Keys whose values differ, in the order of the schema.

    SOLVER.MAX_EPOCH is binding where a cosine or polynomial is drawn over it: under steps the learning rate of an
    epoch does not depend on it.

    Args:
        before: what `model_dump(mode="json")` of the earlier configuration gave. It may be of another
            version of this package: a key that it lacks had today's default.
    """
    now = config.model_dump(mode="json")
    defaults = Config().model_dump(mode="json")
    found = []
    for key, _ in flatten(config):
        was, value = (_value(tree, key, defaults) for tree in (before, now))
        if was != value:
            binding = key not in FREE_KEYS
            if key == "SOLVER.MAX_EPOCH":
                policies = [_value(tree, "SOLVER.LR_POLICY", defaults) for tree in (before, now)]
                binding = not all(policy == "steps_with_relative_lrs" for policy in policies)
            found.append(Change(key, was, value, binding))
    return found


def _value(tree: Mapping[str, Any], key: str, defaults: Mapping[str, Any]) -> Any:
    *sections, name = key.split(".")
    for section in sections:
        tree, defaults = tree.get(section, {}), defaults[section]
    value = tree.get(name, defaults[name])
    return _TODAY[key].get(value, value) if key in _TODAY else value
