"""What classifying tasks have in common: loss, figures, mixing."""

from __future__ import annotations

from glore_video.data.samplers import TrainingBatches
from glore_video.engine.launch.processes import Process
from glore_video.errors import UsageError
from glore_video.tasks.classification.meter import TrainingMeter, ValidationMeter
from glore_video.tasks.classification.objective import BinaryCrossEntropy, ClassLoss, CrossEntropy
from glore_video.tasks.classification.task_augmentation import build_mixing
from glore_video.tasks.task_base import BaseTask


class ClassifyingTask(BaseTask):
    """A BaseTask whose samples have one class each."""

    @property
    def objective(self) -> ClassLoss:
        model, mix = self.config.MODEL, build_mixing(self.config)
        if model.LOSS_FUNC == "bce_logit":
            return BinaryCrossEntropy(mix, threshold=model.BCE_TARGET_THRESHOLD)
        return CrossEntropy(mix)

    @property
    def train_meter(self) -> TrainingMeter:
        return TrainingMeter()

    @property
    def val_meter(self) -> ValidationMeter:
        return ValidationMeter(self.objective)

    def order(self, num_samples: int, process: Process) -> TrainingBatches:
        """Raises also what the user has to mend in the mixing."""
        config = self.config
        build_mixing(config)
        inputs = config.TRAIN.BATCH_SIZE // process.world_size * config.AUG.NUM_SAMPLE
        if config.MIXUP.ENABLE and inputs < 2:
            raise UsageError(
                f"MIXUP.ENABLE = True mixes the {self.words.inputs} of a process in pairs; "
                f"TRAIN.BATCH_SIZE = {config.TRAIN.BATCH_SIZE} over {process.world_size} processes "
                "leaves it one"
            )
        return super().order(num_samples, process)
