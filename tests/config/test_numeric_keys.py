"""Numeric keys of the configuration: each has bounds and takes no value that is not finite."""

from typing import get_args, get_origin

import pytest

from glore_video.config import Config, load_config
from glore_video.config.loading import _is_section, _sections

ZERO_IS_REFUSED = {
    *("TRAIN.BATCH_SIZE TRAIN.EVAL_PERIOD TEST.NUM_ENSEMBLE_VIEWS DATA.NUM_FRAMES").split(),
    *("DATA.STD SOLVER.MAX_EPOCH CPU_PROCESSES LOG_PERIOD AUG.NUM_SAMPLE").split(),
    *("TEST.NUM_SPATIAL_CROPS RESNET.DEPTH DATA.TRAIN_JITTER_SCALES SLOWFAST.ALPHA").split(),
}


def types_within(annotation):
    arguments = get_args(annotation)
    if not arguments:
        return {annotation}
    return set().union(*(types_within(each) for each in arguments))


def shape(annotation, value):
    """The value as a key of this type takes it: alone, in a tuple, in tuples of tuples."""
    if get_origin(annotation) is not tuple:
        return value
    arguments = [each for each in get_args(annotation) if each is not Ellipsis]
    return f"[{', '.join(shape(each, value) for each in arguments)}]"


KEYS = {
    f"{prefix}{name}": field
    for prefix, section in _sections()
    for name, field in section.model_fields.items()
    if not _is_section(field.annotation)
}
NUMERIC = {
    name: field.annotation
    for name, field in KEYS.items()
    if {int, float} & types_within(field.annotation)
    or any(
        isinstance(each, int) and not isinstance(each, bool)
        for each in types_within(field.annotation)
    )
}


def test_the_numeric_keys_are_found():
    assert len(NUMERIC) > 60
    assert {"DATA.MEAN", "GLORE.LOCATION", "NONLOCAL.POOL", "RNG_SEED"} <= NUMERIC.keys()
    assert not {"OUTPUT_DIR", "TRAIN.ENABLE", "SOLVER.LR_POLICY"} & NUMERIC.keys()
    assert ZERO_IS_REFUSED <= NUMERIC.keys()


@pytest.mark.parametrize("key", NUMERIC)
@pytest.mark.parametrize("value", [".nan", ".inf", "-.inf", "-1000", "1e999", "x", "True", "1e400"])
def test_what_is_no_number_of_the_key_is_refused(key, value):
    with pytest.raises(ValueError, match=key) as refused:
        load_config(None, [key, shape(NUMERIC[key], value)])
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("key", sorted(ZERO_IS_REFUSED))
def test_zero_is_refused(key):
    with pytest.raises(ValueError, match=f"{key} = 0"):
        load_config(None, [key, shape(NUMERIC[key], "0")])


@pytest.mark.parametrize("key", ["RNG_SEED", "SYNTHETIC.SEED", "DATA.NUM_FRAMES", "DIST_TIMEOUT"])
def test_numbers_that_no_machine_takes_are_refused(key):
    with pytest.raises(ValueError, match=f"{key} = 1e\\+?30"):
        load_config(None, [key, "1e30"])


def test_the_greatest_seed_seeds():
    assert load_config(None, ["RNG_SEED", str(2**32 - 1)]).RNG_SEED == 2**32 - 1
    assert Config().RNG_SEED == 0
