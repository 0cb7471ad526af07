"""What is known of any network by name: how it is fed, as its publishers do it."""

from __future__ import annotations

from dataclasses import replace

from glore_video.models.networks import sources
from glore_video.models.networks.network_info import (
    GLORE_MEAN,
    GLORE_STD,
    KINETICS_MEAN,
    KINETICS_STD,
    NetworkInfo,
)
from glore_video.models.segmentation import (
    CITYSCAPES_CROP,
    backbone_of,
    list_segmentation_models,
)
from glore_video.models.weights.published import BACKBONES, PUBLISHED
from glore_video.models.zoo import check_name, takes_pictures

_STRIDES = {8: 8, 32: 2}  # frames of a clip -> from one to the next, about two seconds of 30 fps


def network_info(name: str) -> NetworkInfo:
    """What is known of a network of the zoo or of another package; it is not built.

    Raises:
        UsageError: the name is not known, or its package is not installed.
    """
    if sources.is_foreign(name):
        return sources.network_info(name)
    check_name(name)
    if name in list_segmentation_models():  # colours are the backbone's
        host = sources.network_info(backbone_of(name))
        height, width = CITYSCAPES_CROP
        return replace(host, name=name, input_shape=(3, height, width), scaled_side=0)
    if takes_pictures(name):
        # Colours as in the repository's video networks; those of its picture networks are not public.
        return NetworkInfo(
            name=name,
            input_shape=(3, 224, 224),
            mean=GLORE_MEAN,
            std=GLORE_STD,
            scaled_side=256,
            glore_form="preactivated",
        )
    # Plain networks of the paper are fed like those with units, others like their backbone.
    like = name.replace("preact_", "glore_")
    of_paper = like in ("glore_r50_8x8", "glore_r101_8x8")
    published = PUBLISHED[BACKBONES.get(like, like)]
    return NetworkInfo(
        name=name,
        input_shape=(3, published.frames, published.crop, published.crop),
        mean=GLORE_MEAN if of_paper else KINETICS_MEAN,
        std=GLORE_STD if of_paper else KINETICS_STD,
        stride=_STRIDES[published.frames],
        views=published.views,
    )
