"""Instance-weighted intersection over union of a segmentation: iIoU of the benchmark of Cityscapes.

A class' pixels that are found and missed are weighted by the mean size of its instances over the size
of theirs, so that small things count as much as large ones; pixels that are predicted wrongly count
as they are. Regions of several things that nobody took apart bear no instance and are neither found
nor missed (Cordts et al. 2016, section 4.1; evalPixelLevelSemanticLabeling of cityscapesscripts).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glore_video.errors import UsageError
from glore_video.statistics.confusion import IGNORED, percent

_PER_LABEL = 1000
COUNTS = ("found", "missed", "group_found", "group_missed")
"""Columns of what `instance_counts` gives."""


@dataclass(frozen=True)
class InstanceRules:
    """Which classes have instances, and how they are weighted.

    Attributes:
        class_of: label id of the data set -> class, or IGNORED.
        mean_sizes: of each class, mean pixels of an instance; NaN for a class without instances.
        groups: of each class (Cityscapes' categories), from 0.
        column_groups: of each column of the confusion matrix, -1 for none. Columns of no class may
            be of a group: predicted caravans are vehicles.
    """

    class_of: Sequence[int]
    mean_sizes: Sequence[float]
    groups: Sequence[int]
    column_groups: Sequence[int]

    @property
    def with_instances(self) -> np.ndarray:
        """bool (classes,)."""
        return ~np.isnan(np.asarray(self.mean_sizes, dtype=np.float64))

    @property
    def whole_groups(self) -> np.ndarray:
        """bool (groups,): those whose classes all have instances; the others have no iIoU."""
        whole = np.ones(max(self.groups) + 1, dtype=bool)
        whole[np.asarray(self.groups)[~self.with_instances]] = False
        return whole


def instance_counts(
    prediction: np.ndarray, instances: np.ndarray, rules: InstanceRules
) -> np.ndarray:
    """Weighted pixels of a picture's instances, float64 (classes, COUNTS); those of pictures add up.

    Args:
        prediction: columns of the confusion matrix, whole numbers (height, width).
        instances: (height, width), 1000 * label id + number of the instance; up to 1000: no instance.

    Raises UsageError for other shapes, and for instances of a label that there is not.
    """
    if prediction.shape != instances.shape:
        raise UsageError(
            f"a prediction of shape {prediction.shape} can't be held against instances of shape "
            f"{instances.shape}"
        )
    counts = np.zeros((len(rules.mean_sizes), len(COUNTS)))
    inside = instances > _PER_LABEL
    numbers, places = np.unique(instances[inside], return_inverse=True)
    if not len(numbers):
        return counts
    labels = numbers // _PER_LABEL
    if labels.max() >= len(rules.class_of):
        raise UsageError(
            f"instance {numbers.max()} is of label {labels.max()}; there are labels up to "
            f"{len(rules.class_of) - 1}"
        )
    classes = np.asarray(rules.class_of)[labels]  # (instances,)
    known = classes != IGNORED
    known[known] = rules.with_instances[classes[known]]
    classes = np.where(known, classes, 0)
    predicted = prediction[inside]
    groups = np.asarray(rules.groups)[classes]
    right = predicted == classes[places]
    right_group = np.asarray(rules.column_groups)[predicted] == groups[places]
    sizes = np.bincount(places)
    for number, hits in enumerate((right, right_group)):
        found = np.bincount(places, weights=hits, minlength=len(numbers))
        weights = np.asarray(rules.mean_sizes)[classes] / sizes
        np.add.at(counts[:, 2 * number], classes[known], (found * weights)[known])
        np.add.at(counts[:, 2 * number + 1], classes[known], ((sizes - found) * weights)[known])
    return counts


def class_iiou(matrix: np.ndarray, counts: np.ndarray, rules: InstanceRules) -> np.ndarray:
    """iIoU of each class in percent, float64 (classes,); NaN for one without instances.

    Args:
        matrix: confusion matrix (classes, columns), summed over pictures.
        counts: of `instance_counts`, summed over pictures.
    """
    classes = len(rules.mean_sizes)
    wrong = matrix[:, :classes].sum(0) - np.diagonal(matrix)
    shares = percent(counts[:, 0], counts[:, 0] + counts[:, 1] + wrong)
    return np.where(rules.with_instances, shares, np.nan)


def group_iiou(matrix: np.ndarray, counts: np.ndarray, rules: InstanceRules) -> np.ndarray:
    """iIoU of each group in percent, float64 (groups,); NaN unless all its classes have instances."""
    groups = np.asarray(rules.groups)
    number = groups.max() + 1
    of_row = np.eye(number)[groups]  # (classes, groups)
    columns = np.asarray(rules.column_groups)[:, None] == np.arange(number)  # (columns, groups)
    found, missed = counts[:, 2] @ of_row, counts[:, 3] @ of_row
    wrong = ((1 - of_row).T @ matrix * columns.T).sum(1)
    shares = percent(found, found + missed + wrong)
    return np.where(rules.whole_groups, shares, np.nan)
