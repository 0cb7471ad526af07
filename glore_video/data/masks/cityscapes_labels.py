"""The labels of Cityscapes: ids in its files, classes that are trained, categories, colours.

Cordts et al. 2016, The Cityscapes Dataset for Semantic Urban Scene Understanding, and the files that
the data set comes with.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from glore_video.data.masks.label_map import IGNORED, LabelMap
from glore_video.data.masks.mask_classes import Colour, MaskClasses


class CityscapesLabel(NamedTuple):
    """One of the 34 labels that files hold.

    Attributes:
        class_number: of a class that is trained and tested (train id); IGNORED for the others.
        instance_size: mean pixels of an instance, 0 for labels without instances.
    """

    number: int
    name: str
    class_number: int
    category: str
    instance_size: float
    colour: Colour


_ = IGNORED
LABELS = tuple(
    CityscapesLabel(number, *row)
    for number, row in enumerate(
        (
            ("unlabeled", _, "void", 0.0, (0, 0, 0)),
            ("ego vehicle", _, "void", 0.0, (0, 0, 0)),
            ("rectification border", _, "void", 0.0, (0, 0, 0)),
            ("out of roi", _, "void", 0.0, (0, 0, 0)),
            ("static", _, "void", 0.0, (0, 0, 0)),
            ("dynamic", _, "void", 0.0, (111, 74, 0)),
            ("ground", _, "void", 0.0, (81, 0, 81)),
            ("road", 0, "flat", 0.0, (128, 64, 128)),
            ("sidewalk", 1, "flat", 0.0, (244, 35, 232)),
            ("parking", _, "flat", 0.0, (250, 170, 160)),
            ("rail track", _, "flat", 0.0, (230, 150, 140)),
            ("building", 2, "construction", 0.0, (70, 70, 70)),
            ("wall", 3, "construction", 0.0, (102, 102, 156)),
            ("fence", 4, "construction", 0.0, (190, 153, 153)),
            ("guard rail", _, "construction", 0.0, (180, 165, 180)),
            ("bridge", _, "construction", 0.0, (150, 100, 100)),
            ("tunnel", _, "construction", 0.0, (150, 120, 90)),
            ("pole", 5, "object", 0.0, (153, 153, 153)),
            ("polegroup", _, "object", 0.0, (153, 153, 153)),
            ("traffic light", 6, "object", 0.0, (250, 170, 30)),
            ("traffic sign", 7, "object", 0.0, (220, 220, 0)),
            ("vegetation", 8, "nature", 0.0, (107, 142, 35)),
            ("terrain", 9, "nature", 0.0, (152, 251, 152)),
            ("sky", 10, "sky", 0.0, (70, 130, 180)),
            ("person", 11, "human", 3462.4756337644, (220, 20, 60)),
            ("rider", 12, "human", 3930.4788056518, (255, 0, 0)),
            ("car", 13, "vehicle", 12794.0202738185, (0, 0, 142)),
            ("truck", 14, "vehicle", 27855.1264367816, (0, 0, 70)),
            ("bus", 15, "vehicle", 35732.1511111111, (0, 60, 100)),
            ("caravan", _, "vehicle", 36771.8241758242, (0, 0, 90)),
            ("trailer", _, "vehicle", 16926.9763313609, (0, 0, 110)),
            ("train", 16, "vehicle", 67583.7075812274, (0, 80, 100)),
            ("motorcycle", 17, "vehicle", 6298.7200839748, (0, 0, 230)),
            ("bicycle", 18, "vehicle", 4672.3249222261, (119, 11, 32)),
        )
    )
)


@cache
def cityscapes_classes() -> MaskClasses:
    """The 19 classes, of masks that hold label ids; 255, as some tools write it, is ignored too."""
    labels = [label for label in LABELS if label.class_number != IGNORED]
    group_names = tuple(dict.fromkeys(label.category for label in labels))
    return MaskClasses(
        names=tuple(label.name for label in labels),
        label_map=LabelMap(
            {label.number: label.class_number for label in LABELS},
            ignored=(IGNORED,),
            mended_by=f"masks of Cityscapes hold label ids, 0 .. {len(LABELS) - 1}",
        ),
        stored=tuple(label.number for label in labels),
        colours=tuple(label.colour for label in labels),
        stored_none=0,  # "unlabeled", as its server takes it
        group_names=group_names,
        groups=tuple(group_names.index(label.category) for label in labels),
        mean_instance_sizes=tuple(label.instance_size or float("nan") for label in labels),
        class_of_label=tuple(label.class_number for label in LABELS),
    )
