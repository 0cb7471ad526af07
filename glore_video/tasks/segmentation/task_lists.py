"""The lists of pictures with masks that a segmentation reads, and what is said of them before a run."""

from __future__ import annotations

import logging
from functools import cached_property

from glore_video.data.masks.checking import check_masks, spread_indices
from glore_video.data.masks.layouts import Layout, find_layout
from glore_video.data.masks.mask_classes import MaskClasses
from glore_video.data.masks.masked_list import MaskedList
from glore_video.data.relations.streets import render_streets
from glore_video.engine.protocols import Words
from glore_video.errors import MissingFileError, UsageError, naming
from glore_video.processes.cpus import usable_cpus
from glore_video.tasks.synthetic import in_synthetic_keys
from glore_video.tasks.task_base import BaseTask

logger = logging.getLogger(__name__)

WORDS = Words(
    sample="picture",
    input="picture",
    faster_reading="make pictures smaller, or TRAIN.BATCH_SIZE",
)
_FOR_OWN = "images/<split> beside masks/<split> with class_names.txt are for masks of your own"
_LOOKED_AT = 64  # masks of each list, before a run starts


class ListedScenes(BaseTask):
    """What a segmentation reads. See RunTask in tasks/protocol.py."""

    @property
    def words(self) -> Words:
        return WORDS

    @cached_property
    def layout(self) -> Layout:
        """Where the pictures and masks lie in DATA.PATH_TO_DATA_DIR."""
        if not self.config.DATA.PATH_TO_DATA_DIR:
            raise UsageError(
                "DATA.PATH_TO_DATA_DIR is empty: give the folder of pictures and masks: Cityscapes' "
                "(leftImg8bit, gtFine), Pascal VOC's, or images/ and masks/ with class_names.txt"
            )
        return find_layout(self.config.DATA.PATH_TO_DATA_DIR)

    @property
    def renders(self) -> str:
        return f"synthetic {self.words.samples}" if self.config.SYNTHETIC.LABELS != "none" else ""

    def render(self) -> None:
        if self.renders:
            synthetic = self.config.SYNTHETIC
            with in_synthetic_keys(self.config, self.words.samples, _FOR_OWN):
                render_streets(
                    self.config.DATA.PATH_TO_DATA_DIR,
                    num_train=synthetic.NUM_TRAIN,
                    num_val=synthetic.NUM_VAL,
                    size=synthetic.SIZE,
                    seed=synthetic.SEED,
                )

    @cached_property
    def classes(self) -> MaskClasses:
        """Of the masks; they are MODEL.NUM_CLASSES."""
        classes = self.layout.classes(self.config.DATA.CLASS_NAMES_PATH)
        wanted = self.config.MODEL.NUM_CLASSES
        if wanted and wanted != len(classes):
            raise UsageError(
                f"{self.config.DATA.PATH_TO_DATA_DIR}: {len(classes)} classes, but "
                f"MODEL.NUM_CLASSES = {wanted} (0: as many as there are)"
            )
        return classes

    @cached_property
    def _lists(self) -> dict[str, MaskedList]:
        return {}

    def listed(self, split: str) -> MaskedList:
        """The list of "train", "val" or "test" that the run needs, read once."""
        name = self.config.TEST.SPLIT if split == "test" else split
        if name not in self._lists:
            self._lists[name] = self.samples(name)
        return self._lists[name]

    def samples(self, split: str) -> MaskedList:
        trained = self.config.TRAIN.SPLIT
        if split == "train" and trained != split:
            with naming(f"TRAIN.SPLIT = {trained}"):
                return self.layout.load(trained)
        try:
            return self.layout.load(split)
        except MissingFileError as error:
            if split == "test" and self.has_split("val"):
                raise MissingFileError(
                    f"{error}; TEST.SPLIT val tests on what is validated"
                ) from None
            raise

    def has_split(self, split: str) -> bool:
        try:
            there = self.layout.splits()
        except UsageError:
            return False
        return (self.config.TRAIN.SPLIT if split == "train" else split) in there

    def names(self) -> tuple[str, ...]:
        return self.classes.names

    def count_classes(self) -> tuple[int, str]:
        classes = self.layout.classes(self.config.DATA.CLASS_NAMES_PATH)
        return len(classes), f"{self.layout.name} in {self.layout.root}"

    def warn_of_lists(self, *, is_main: bool) -> None:
        """Read the lists and some of their masks, and log what the user should know."""
        config = self.config
        splits = ["train", "val"] * config.TRAIN.ENABLE + ["test"] * config.TEST.ENABLE
        for samples in {id(each): each for each in map(self.listed, splits)}.values():
            if not is_main:
                continue
            for note in samples.notes:
                logger.warning("%s", note)
            missing = len(samples) - samples.instances_known
            if config.TEST.ENABLE and 0 < missing < len(samples) and samples is self.listed("test"):
                logger.warning(
                    "%s: %d of %d pictures have no picture of their instances: the test has no iIoU",
                    *(samples.source, missing, len(samples)),
                )
            found = check_masks(
                samples,
                self.classes,
                indices=spread_indices(len(samples), _LOOKED_AT),
                max_pixels=config.DATA.MAX_PIXELS,
                threads=usable_cpus(),
            )
            if found.checked and len(found.faults) == found.checked:
                raise UsageError(
                    f"{samples.source}: none of the {found.checked} masks that were looked at can be "
                    f"used: {found.faults[0].path}: {found.faults[0].reason}"
                )
            for line in found.lines():
                logger.warning("%s: %s", samples.source, line)

    def training_length(self) -> int | str:
        if not self.config.DATA.PATH_TO_DATA_DIR:
            return "DATA.PATH_TO_DATA_DIR is empty, so its length is not known"
        if self.renders:
            return self.config.SYNTHETIC.NUM_TRAIN
        return super().training_length()
