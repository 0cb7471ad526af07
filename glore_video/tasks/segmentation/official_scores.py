"""The further scores of the benchmark of Cityscapes: IoU of categories, iIoU of classes and categories.

Equal to those of evalPixelLevelSemanticLabeling of cityscapesscripts on the same label ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from glore_video.data.masks.mask_classes import MaskClasses
from glore_video.statistics.confusion import group_iou, mean_of_known
from glore_video.statistics.instance_iou import InstanceRules, class_iiou, group_iiou

_NO_GROUP = -1


def instance_rules(classes: MaskClasses) -> InstanceRules:
    """Of confusion matrices with one column behind those of the classes, for pixels of no class."""
    return InstanceRules(
        class_of=classes.class_of_label,
        mean_sizes=classes.mean_instance_sizes,
        groups=classes.groups,
        column_groups=(*classes.groups, _NO_GROUP),
    )


@dataclass(frozen=True, kw_only=True)
class OfficialScores:
    """In percent; NaN where nothing occurs.

    Attributes:
        category_iou: by group of classes (Cityscapes' categories).
        mean_category_iou: of those that occur.
        class_iiou: instance-weighted IoU, by the classes that have instances; None if instances are
            not known.
        mean_iiou: of those that occur.
        category_iiou: by the groups whose classes all have instances.
        mean_category_iiou: of those that occur.
    """

    category_iou: Mapping[str, float]
    mean_category_iou: float
    class_iiou: Mapping[str, float] | None = None
    mean_iiou: float | None = None
    category_iiou: Mapping[str, float] | None = None
    mean_category_iiou: float | None = None

    @property
    def known(self) -> dict[str, Any]:
        """By name, without those that are None."""
        return {name: value for name, value in vars(self).items() if value is not None}


def official_scores(
    matrix: np.ndarray, instances: np.ndarray | None, classes: MaskClasses
) -> OfficialScores | None:
    """Of one picture, or of the sums over many; None of classes without groups.

    Args:
        matrix: confusion matrix (classes, classes + 1).
        instances: of `instance_counts`, (classes, COUNTS); None: not known.
    """
    if not classes.group_names:
        return None
    groups = group_iou(matrix, classes.groups)
    scores = OfficialScores(
        category_iou=dict(zip(classes.group_names, groups.tolist(), strict=True)),
        mean_category_iou=float(mean_of_known(groups)),
    )
    if instances is None:
        return scores
    rules = instance_rules(classes)
    of_classes = class_iiou(matrix, instances, rules)
    of_groups = group_iiou(matrix, instances, rules)
    return OfficialScores(
        **scores.known,
        class_iiou=_chosen(classes.names, of_classes, rules.with_instances),
        mean_iiou=float(mean_of_known(of_classes)),
        category_iiou=_chosen(classes.group_names, of_groups, rules.whole_groups),
        mean_category_iiou=float(mean_of_known(of_groups)),
    )


def _chosen(names: tuple[str, ...], values: np.ndarray, chosen: np.ndarray) -> dict[str, float]:
    return {
        name: float(value) for name, value, own in zip(names, values, chosen, strict=True) if own
    }
