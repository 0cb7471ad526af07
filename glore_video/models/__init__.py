"""Networks for video: GloRe units, what they go into, weights, and what it all costs."""

from glore_video.models.deployment.complexity import Complexity, count_complexity
from glore_video.models.deployment.conv_bn_fusion import fuse_for_inference
from glore_video.models.networks.backbones import SlowFastOptions
from glore_video.models.networks.inserted_units import glore_units, inserted_units, zero_init_units
from glore_video.models.networks.insertion import insert_glore, insert_nonlocal, remove_glore
from glore_video.models.networks.module_paths import match_blocks
from glore_video.models.networks.preact_resnet2d import PreactResNet2d
from glore_video.models.networks.preact_resnet3d import PreactResNet3d
from glore_video.models.networks.sources import is_foreign
from glore_video.models.networks.stages import blocks_of_counts, locate, stage_blocks
from glore_video.models.networks.tiny import TinyResNet3d
from glore_video.models.segmentation import build_segmentation, list_segmentation_models
from glore_video.models.units.glore_unit import GloreUnit, GloreUnit1d, GloreUnit2d, GloreUnit3d
from glore_video.models.units.graph_convolution import GraphConvolution
from glore_video.models.weights.files import save_weights
from glore_video.models.weights.load_report import LoadReport
from glore_video.models.weights.loading import UnfitWeightsError, load_weights
from glore_video.models.zoo import (
    ARCHITECTURES,
    build_network,
    create_model,
    list_models,
    load_published_weights,
)

__all__ = [
    "ARCHITECTURES",
    "Complexity",
    "GloreUnit",
    "GloreUnit1d",
    "GloreUnit2d",
    "GloreUnit3d",
    "GraphConvolution",
    "LoadReport",
    "PreactResNet2d",
    "PreactResNet3d",
    "SlowFastOptions",
    "TinyResNet3d",
    "UnfitWeightsError",
    "blocks_of_counts",
    "build_network",
    "build_segmentation",
    "count_complexity",
    "create_model",
    "fuse_for_inference",
    "glore_units",
    "insert_glore",
    "insert_nonlocal",
    "inserted_units",
    "is_foreign",
    "list_models",
    "list_segmentation_models",
    "load_published_weights",
    "load_weights",
    "locate",
    "match_blocks",
    "remove_glore",
    "save_weights",
    "stage_blocks",
    "zero_init_units",
]
