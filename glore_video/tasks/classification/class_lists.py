"""The lists of a classifying run: splits, class numbering and names, from its configuration."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from glore_video.config import Config
from glore_video.data.class_lists import load_class_names, names_of
from glore_video.data.numbering import Numbering, list_of, number_classes
from glore_video.data.sample_kind import SampleKind
from glore_video.data.samples import SampleList
from glore_video.errors import MissingFileError, UsageError

logger = logging.getLogger(__name__)
_ANY_LABEL = 2**62
_List = TypeVar("_List", bound=SampleList)


@dataclass(frozen=True)
class RunLists(Generic[_List]):
    """Lists and names of a run; a split that the run does not use is None."""

    train: _List | None
    val: _List | None
    test: _List | None
    class_names: tuple[str, ...]

    def of(self, split: str) -> _List:
        """The list of "train", "val" or "test", which the run needs."""
        samples: _List | None = getattr(self, split)
        assert samples is not None, f"the run does not need {split}"
        return samples


class ClassLists(Generic[_List]):
    """What DATA.PATH_TO_DATA_DIR holds. Everything is read anew when it is asked for.

    Args:
        kind: what the samples are.
        load: reads and checks a split; takes the folder, the split, num_classes, prefix, separator
            and numbering as data.class_lists.load_split does.
        number: gives classes their labels, as data.numbering.number_classes does.
    """

    def __init__(
        self,
        config: Config,
        kind: SampleKind,
        load: Callable[..., _List],
        *,
        number: Callable[..., Numbering] = number_classes,
    ) -> None:
        self.config = config
        self.kind = kind
        self._load = load
        self._number = number

    @property
    def folder(self) -> Path:
        """DATA.PATH_TO_DATA_DIR, which is there. Raises UsageError."""
        folder = self.config.DATA.PATH_TO_DATA_DIR
        if not folder:
            raise UsageError(
                "DATA.PATH_TO_DATA_DIR is empty: give the folder with train.csv, val.csv and test.csv, "
                "whose lines are `path label`, labels from 0 on, or with train/, val/ and test/, each "
                f"with a folder of {self.kind.words} for each class"
            )
        if not Path(folder).is_dir():
            raise MissingFileError(f"DATA.PATH_TO_DATA_DIR = {folder}: no such folder")
        return Path(folder)

    def has_split(self, split: str) -> bool:
        """Whether there is a list or a folder of this split."""
        folder = Path(self.config.DATA.PATH_TO_DATA_DIR)
        return list_of(folder, split) is not None or (folder / split).is_dir()

    def numbering(self, *, any_number: bool = False) -> Numbering:
        """Which class has which label, in all splits. Raises what the user has to mend.

        any_number: of classes; otherwise names must be as many as MODEL.NUM_CLASSES.
        """
        return self._number(
            self.kind,
            self.folder,
            names_file=self.config.DATA.CLASS_NAMES_PATH,
            num_classes=None if any_number else self.config.MODEL.NUM_CLASSES or None,
            separator=self.config.DATA.PATH_LABEL_SEPARATOR,
        )

    def split(self, split: str, numbering: Numbering | None = None) -> _List:
        """Read and check one split's list. Raises what the user has to mend.

        numbering: the classes of all splits, where it is known already.
        """
        folder = self.folder
        if numbering is None and list_of(folder, split) is None:  # class folders need their labels
            numbering = self.numbering()
        try:
            return self._read(split, self.config.MODEL.NUM_CLASSES, numbering)
        except MissingFileError as error:
            if split == "test" and not self.has_split("test") and self.has_split("val"):
                raise MissingFileError(
                    f"{error}; TEST.SPLIT val tests on what is validated"
                ) from None
            raise

    def _read(self, split: str, num_classes: int, numbering: Numbering | None) -> _List:
        return self._load(
            self.folder,
            split,
            num_classes=num_classes,
            prefix=self.config.DATA.PATH_PREFIX,
            separator=self.config.DATA.PATH_LABEL_SEPARATOR,
            numbering=numbering,
        )

    def names(self) -> tuple[str, ...]:
        """The names of the classes, by label."""
        return names_of(self.kind, self.numbering(), self.config.MODEL.NUM_CLASSES)

    def names_of_weights(self, stored: tuple[str, ...]) -> tuple[str, ...]:
        """The names of the classes that weights were trained on, as they say themselves.

        Where they do not, those of the data, if there are any, or the usual ones.
        """
        config = self.config
        if len(stored) == config.MODEL.NUM_CLASSES:
            return stored
        return load_class_names(
            self.kind,
            config.DATA.PATH_TO_DATA_DIR,
            num_classes=config.MODEL.NUM_CLASSES,
            file=config.DATA.CLASS_NAMES_PATH,
            separator=config.DATA.PATH_LABEL_SEPARATOR,
        )

    def of_run(self) -> RunLists[_List]:
        """The lists that the run needs, and the names of the classes."""
        config, numbering = self.config, self.numbering()
        return RunLists(
            train=self.split("train", numbering) if config.TRAIN.ENABLE else None,
            val=self.split("val", numbering) if config.TRAIN.ENABLE else None,
            test=self.split(config.TEST.SPLIT, numbering) if config.TEST.ENABLE else None,
            class_names=names_of(self.kind, numbering, config.MODEL.NUM_CLASSES),
        )

    def count_classes(self) -> tuple[int, str]:
        """The number of classes, and what tells it: names, the labels of a list, or class folders.

        It is what MODEL.NUM_CLASSES 0 stands for. Raises UsageError where nothing tells it.
        """
        folder, numbering = self.folder, self.numbering(any_number=True)
        found: tuple[int, str] | None = None
        if numbering.names:
            found = len(numbering.names), numbering.source
        elif list_of(folder, "train") is not None:
            found = self._count_labels(numbering)
        if found is None:
            raise UsageError(
                f"MODEL.NUM_CLASSES = 0 counts classes, but {folder} holds no class_names.txt, no "
                f"train.csv and no train/ with a folder of {self.kind.words} for each class; say the "
                "number"
            )
        count, source = found
        if count < 2:
            raise UsageError(
                f"{source}: {count} class{'es' * (count != 1)}, but two at least are needed"
            )
        return count, source

    def _count_labels(self, numbering: Numbering) -> tuple[int, str]:
        samples = self._read("train", _ANY_LABEL, numbering)
        file = str(samples.source)
        labels = set(samples.labels.tolist())
        count = max(labels) + 1
        if len(labels) < count:
            missing = next(label for label in range(count) if label not in labels)
            raise UsageError(
                f"MODEL.NUM_CLASSES = 0 counts classes, but of the labels 0 to {count - 1} in {file} "
                f"some are missing, {missing} for one; say the number"
            )
        return count, file


def warn_of_repeated(samples: SampleList, words: str) -> None:
    """Log that a list names samples more than once. words: what they are called, "videos"."""
    seen: set[int] = set()  # hashes: a fraction of the memory of paths
    again = []
    for place in range(len(samples)):
        path = hash(samples.path(place))
        if path in seen:
            again.append(place)
        seen.add(path)
    if again:
        logger.warning(
            "%s lists %d %s again, %s among them: each line counts, in training and in accuracies",
            *(samples.source, len(again), words, samples.path(again[0])),
        )
