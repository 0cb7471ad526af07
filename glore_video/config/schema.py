"""The configuration: every section and key, with its type, default and one line of meaning.

Names are SlowFast's (slowfast/config/defaults.py) wherever the meaning is the same. All models are
frozen and refuse unknown keys; loading.py turns YAML files and command-line pairs into a `Config`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

# stage -> pathway -> 0-based block indices, as SlowFast's NONLOCAL.LOCATION
BlockLocations = tuple[tuple[tuple[int, ...], ...], ...]


def _no_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("a number is expected, not a truth value")
    return value


Int = Annotated[int, BeforeValidator(_no_bool)]
Float = Annotated[float, BeforeValidator(_no_bool)]
Positive = Annotated[Int, Field(ge=1)]
NonNegative = Annotated[Int, Field(ge=0)]
NonNegativeFloat = Annotated[Float, Field(ge=0)]
Fraction01 = Annotated[Float, Field(ge=0, le=1)]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def key(default: Any, description: str) -> Any:
    return Field(default=default, description=description)


class Train(Section):
    ENABLE: bool = key(True, "train before testing")
    DATASET: str = key("kinetics", "name of the data set, for the log only")
    BATCH_SIZE: Positive = key(64, "clips a step, over all processes together")
    EVAL_PERIOD: Positive = key(
        10, "epochs between validations (the last epoch is always validated)"
    )
    CHECKPOINT_PERIOD: Positive = key(10, "epochs between checkpoints (the last is always kept)")
    CHECKPOINT_STEPS: NonNegative = key(0, "steps between checkpoints within an epoch; 0: none")
    KEEP_CHECKPOINTS: NonNegative = key(
        0, "checkpoints after whole epochs to keep, the last ones and the best; 0: all"
    )
    AUTO_RESUME: bool = key(True, "go on from the last checkpoint in OUTPUT_DIR if there is one")
    CHECKPOINT_FILE_PATH: str = key(
        "", "weights to start from: a file, or another run's OUTPUT_DIR (its last checkpoint)"
    )
    CHECKPOINT_ALLOW: tuple[Literal["head", "units"], ...] = key(
        (), "groups of parameters that CHECKPOINT_FILE_PATH may lack: head, units"
    )
    MIXED_PRECISION: bool = key(False, "forward pass under autocast, in AMP_DTYPE")
    AMP_DTYPE: Literal["bf16", "fp16"] = key("bf16", "autocast type; fp16 scales the loss")


class Test(Section):
    ENABLE: bool = key(True, "test after training")
    DATASET: str = key("kinetics", "name of the data set, for the log only")
    BATCH_SIZE: Positive = key(8, "clips (views) a forward pass, over all processes together")
    CHECKPOINT_FILE_PATH: str = key(
        "", "weights to test: a file or a run's OUTPUT_DIR; empty: this run's last checkpoint"
    )
    NUM_ENSEMBLE_VIEWS: Positive = key(10, "clips a video, spread evenly over its length")
    NUM_SPATIAL_CROPS: Literal[1, 3] = key(
        3, "crops a clip: 3 along the longer side, or the centre"
    )
    VIEW_SPACING: Literal["slowfast", "ends"] = key(
        "slowfast",
        "clip i of N starts at i*delta/N (slowfast) or i*delta/(N-1) (ends: reaches the last frame)",
    )


class Data(Section):
    PATH_TO_DATA_DIR: str = key(
        "", "folder with train.csv, val.csv, test.csv, or with train/, val/, test/ of class folders"
    )
    PATH_PREFIX: str = key(
        "", "folder that relative paths in lists start from; empty: the list's own"
    )
    PATH_LABEL_SEPARATOR: str = key(" ", "what stands between path and label (the last one splits)")
    CLASS_NAMES_PATH: str = key(
        "",
        "text file, one class name a line; empty: class_names.txt beside the lists, or Kinetics'",
    )
    NUM_FRAMES: Positive = key(8, "frames a clip (SlowFast networks: of the fast pathway)")
    SAMPLING_RATE: Positive = key(8, "stride: frames between sampled frames, at TARGET_FPS")
    CLIP_SPACING: Literal["stride", "linspace"] = key(
        "stride", "exact stride, or SlowFast's even spread over NUM_FRAMES * SAMPLING_RATE frames"
    )
    TARGET_FPS: NonNegativeFloat = key(
        30, "frames/s in which SAMPLING_RATE counts; 0: the video's own"
    )
    SHORT_VIDEO: Literal["repeat_last", "cycle"] = key(
        "repeat_last", "how a clip longer than its video is filled"
    )
    DECODING_BACKEND: Literal["pyav", "decord"] = key("pyav", "library that reads videos")
    DAMAGED_VIDEO: Literal["error", "use_prefix"] = key(
        "error",
        "a damaged video counts as unreadable, or its frames before the damage are used "
        "(in training, validation and testing alike)",
    )
    TRAIN_JITTER_SCALES: tuple[Positive, Positive] = key(
        (256, 320), "short side in training, pixels: least, greatest; validation uses the least"
    )
    INV_UNIFORM_SAMPLE: bool = key(False, "draw the inverse of the short side evenly, not the side")
    TRAIN_CROP_SIZE: Positive = key(224, "crop in training and validation, pixels")
    TEST_CROP_SIZE: Positive = key(256, "crop in testing, pixels")
    TEST_SHORT_SIDE: NonNegative = key(
        0,
        "short side in testing, pixels; 0: TEST_CROP_SIZE with 3 crops, else the training's least",
    )
    RANDOM_FLIP: bool = key(True, "mirror half of the training clips left to right")
    MEAN: tuple[Float, Float, Float] = key((0.45, 0.45, 0.45), "subtracted from RGB in 0..1")
    STD: tuple[Float, Float, Float] = key((0.225, 0.225, 0.225), "RGB in 0..1 is divided by it")
    MAX_BAD_FRACTION: Fraction01 = key(
        0.05, "share of unreadable training videos past which the run stops"
    )

    @model_validator(mode="after")
    def _sizes_fit(self) -> Data:
        low, high = self.TRAIN_JITTER_SCALES
        if low > high:
            raise ValueError(
                f"DATA.TRAIN_JITTER_SCALES = [{low}, {high}]: the first is the greater"
            )
        if self.TRAIN_CROP_SIZE > low:
            raise ValueError(
                f"DATA.TRAIN_CROP_SIZE = {self.TRAIN_CROP_SIZE} does not fit into the least short "
                f"side, DATA.TRAIN_JITTER_SCALES = [{low}, {high}]"
            )
        if self.TEST_SHORT_SIDE and self.TEST_CROP_SIZE > self.TEST_SHORT_SIDE:
            raise ValueError(
                f"DATA.TEST_CROP_SIZE = {self.TEST_CROP_SIZE} does not fit into "
                f"DATA.TEST_SHORT_SIDE = {self.TEST_SHORT_SIDE}"
            )
        if min(self.STD) <= 0:
            raise ValueError(f"DATA.STD = {list(self.STD)}: each must be above 0")
        return self


class Synthetic(Section):
    LABELS: Literal["", "pair", "same"] = key(
        "", "render the `relations` videos into DATA.PATH_TO_DATA_DIR if missing: pair or same"
    )
    NUM_TRAIN: Positive = key(2000, "training videos to render")
    NUM_VAL: Positive = key(480, "validation videos to render; they are the test videos too")
    NUM_FRAMES: Positive = key(12, "frames a rendered video")
    SIZE: Positive = key(64, "height and width of a rendered video, pixels")
    SEED: NonNegative = key(0, "seed of the rendering")


class Model(Section):
    ARCH: Literal["preact", "c2d", "c2d_nopool", "i3d", "slow", "slowfast", "tiny"] = key(
        "preact", "backbone: the paper's pre-activation network, or pytorchvideo's, or the demo's"
    )
    NUM_CLASSES: Annotated[Int, Field(ge=2)] = key(400, "classes; labels are 0 .. NUM_CLASSES - 1")
    CHANNELS_LAST: bool = key(
        False, "keep the channels of a position together in memory: often faster"
    )
    DROPOUT_RATE: Annotated[Float, Field(ge=0, lt=1)] = key(0.5, "dropout before the classifier")


class ResNet(Section):
    DEPTH: Literal[50, 101] = key(50, "layers of the backbone")
    NUM_BLOCK_TEMP_KERNEL: tuple[tuple[NonNegative, ...], ...] = key(
        (), "stage -> pathway -> blocks with temporal kernels (i3d, slow, slowfast); empty: all"
    )
    ZERO_INIT_FINAL_BN: bool = key(False, "weight of each block's last batch norm starts at zero")


class SlowFast(Section):
    ALPHA: Positive = key(4, "frames of the fast pathway a frame of the slow one")
    BETA_INV: Positive = key(8, "channels of the slow pathway a channel of the fast one")
    FUSION_CONV_CHANNEL_RATIO: Positive = key(2, "channels of the fusion a fast channel")
    FUSION_KERNEL_SZ: Positive = key(7, "frames that a fusion convolution spans")


class Glore(Section):
    LOCATION: BlockLocations = key(
        (), "blocks a GloRe unit stands after: stage -> pathway -> 0-based blocks"
    )
    NORMALIZE: bool = key(True, "divide the node features by the number of positions")
    NODES: NonNegative = key(0, "graph nodes a unit; 0: a quarter of the channels")
    STATES: NonNegative = key(0, "features a node; 0: half of the channels")


class NonLocal(Section):
    LOCATION: BlockLocations = key(
        (), "blocks a non-local block stands after: stage -> pathway -> 0-based blocks"
    )
    INSTANTIATION: Literal["softmax", "dot_product"] = key(
        "dot_product", "how the affinities are normalised"
    )

    POOL: tuple[tuple[tuple[Positive, Positive, Positive], ...], ...] = key(
        (), "stage -> pathway -> pooling of keys and values (frames, height, width); empty: 1, 2, 2"
    )

    @model_validator(mode="after")
    def _one_pool(self) -> NonLocal:
        if len({pool for pathways in self.POOL for pool in pathways}) > 1:
            raise ValueError("NONLOCAL.POOL must be the same for all stages and pathways")
        return self

    @property
    def pool(self) -> tuple[int, int, int]:
        """What every block pools by."""
        return self.POOL[0][0] if self.POOL and self.POOL[0] else (1, 2, 2)


class Solver(Section):
    OPTIMIZING_METHOD: Literal["sgd"] = key("sgd", "optimiser")
    BASE_LR: NonNegativeFloat = key(
        0.1, "learning rate for TRAIN.BATCH_SIZE as given (never scaled)"
    )
    LR_POLICY: Literal["cosine", "steps_with_relative_lrs"] = key(
        "cosine", "learning rate over epochs"
    )
    COSINE_END_LR: NonNegativeFloat = key(0.0, "learning rate that the cosine ends at")
    COSINE_AFTER_WARMUP: bool = key(False, "the cosine starts after the warm-up, not at epoch 0")
    STEPS: tuple[NonNegativeFloat, ...] = key(
        (), "epochs at which each of LRS begins; the first is 0"
    )
    LRS: tuple[NonNegativeFloat, ...] = key(
        (), "learning rates from each of STEPS on, over BASE_LR"
    )
    MAX_EPOCH: Positive = key(300, "epochs to train")
    MOMENTUM: Annotated[Float, Field(ge=0, lt=1)] = key(0.9, "momentum")
    DAMPENING: NonNegativeFloat = key(0.0, "dampening of the momentum")
    NESTEROV: bool = key(True, "Nesterov's momentum")
    WEIGHT_DECAY: NonNegativeFloat = key(1e-4, "weight decay (batch norm: BN.WEIGHT_DECAY)")
    ZERO_WD_1D_PARAM: bool = key(False, "no weight decay on biases and other vectors")
    WARMUP_EPOCHS: NonNegativeFloat = key(0.0, "epochs of linear warm-up")
    WARMUP_START_LR: NonNegativeFloat = key(0.01, "learning rate that the warm-up starts from")
    CLIP_GRAD_L2NORM: NonNegativeFloat = key(0.0, "greatest norm of the whole gradient; 0: off")

    @model_validator(mode="after")
    def _schedule_is_whole(self) -> Solver:
        if self.LR_POLICY == "steps_with_relative_lrs":
            steps = list(self.STEPS)
            if not steps or steps[0] != 0 or steps != sorted(steps) or len(steps) > len(self.LRS):
                raise ValueError(
                    f"SOLVER.STEPS = {steps} and SOLVER.LRS = {list(self.LRS)}: a rate for each step "
                    "is needed, STEPS rising from 0"
                )
        if self.NESTEROV and (self.MOMENTUM == 0 or self.DAMPENING != 0):
            raise ValueError(
                f"SOLVER.NESTEROV = True needs SOLVER.MOMENTUM above 0 (is {self.MOMENTUM}) and "
                f"SOLVER.DAMPENING 0 (is {self.DAMPENING})"
            )
        return self


class BatchNorm(Section):
    USE_PRECISE_STATS: bool = key(
        False, "before validating or saving, take batch norm statistics anew over whole batches"
    )
    NUM_BATCHES_PRECISE: Positive = key(200, "batches for USE_PRECISE_STATS (at most an epoch's)")
    WEIGHT_DECAY: NonNegativeFloat = key(0.0, "weight decay on batch norm weights and biases")


class DataLoader(Section):
    NUM_WORKERS: NonNegative = key(
        8, "reading processes a training process; 0: read in the trainer"
    )
    PIN_MEMORY: bool = key(True, "page-locked batches, for faster copies to a GPU")
    VIDEO_TIMEOUT: NonNegativeFloat = key(
        60.0,
        "seconds a video may take to read before its decoder is killed; 0, or no workers: no limit",
    )
    VIDEO_TIMEOUT_ACTION: Literal["skip", "stop"] = key(
        "skip", "such a video counts as unreadable and the run goes on, or the run stops"
    )


class TensorBoard(Section):
    ENABLE: bool = key(True, "write OUTPUT_DIR/tensorboard")


class Config(Section):
    TRAIN: Train = key(Train(), "training")
    TEST: Test = key(Test(), "testing")
    DATA: Data = key(Data(), "videos, clips and crops")
    SYNTHETIC: Synthetic = key(Synthetic(), "the synthetic data set")
    MODEL: Model = key(Model(), "network")
    RESNET: ResNet = key(ResNet(), "backbone")
    SLOWFAST: SlowFast = key(SlowFast(), "SlowFast's two pathways")
    GLORE: Glore = key(Glore(), "GloRe units")
    NONLOCAL: NonLocal = key(NonLocal(), "non-local blocks")
    SOLVER: Solver = key(Solver(), "optimiser and schedule")
    BN: BatchNorm = key(BatchNorm(), "batch norm")
    DATA_LOADER: DataLoader = key(DataLoader(), "reading processes")
    TENSORBOARD: TensorBoard = key(TensorBoard(), "tensorboard")
    NUM_GPUS: NonNegative = key(1, "GPUs on this machine, one process each; 0: the CPU")
    CPU_PROCESSES: Positive = key(1, "training processes when NUM_GPUS is 0")
    CPU_THREADS: NonNegative = key(0, "computing threads a process on the CPU; 0: torch decides")
    OUTPUT_DIR: str = key("outputs", "where the run leaves its files")
    RNG_SEED: NonNegative = key(0, "seed of weights, order of videos, clips and crops")
    LOG_PERIOD: Positive = key(10, "steps between log lines")

    @model_validator(mode="after")
    def _parts_fit(self) -> Config:
        if self.GLORE.LOCATION and self.NONLOCAL.LOCATION:
            glore = {(s, p, b) for s, p, b in _blocks(self.GLORE.LOCATION)}
            shared = sorted(glore & set(_blocks(self.NONLOCAL.LOCATION)))
            if shared:
                raise ValueError(
                    "GLORE.LOCATION and NONLOCAL.LOCATION both name stage {}, pathway {}, block {}".format(
                        *shared[0]
                    )
                )
        if self.MODEL.ARCH == "slowfast" and self.DATA.NUM_FRAMES % self.SLOWFAST.ALPHA:
            raise ValueError(
                f"DATA.NUM_FRAMES = {self.DATA.NUM_FRAMES} is not a multiple of "
                f"SLOWFAST.ALPHA = {self.SLOWFAST.ALPHA}"
            )
        if self.SYNTHETIC.LABELS and self.DATA.RANDOM_FLIP:
            raise ValueError(
                "SYNTHETIC.LABELS needs DATA.RANDOM_FLIP False: a mirrored video moves the other way"
            )
        return self


def _blocks(location: BlockLocations) -> list[tuple[int, int, int]]:
    return [
        (stage, pathway, block)
        for stage, pathways in enumerate(location)
        for pathway, blocks in enumerate(pathways)
        for block in blocks
    ]
