"""What sections of the configuration are made of: field types, the frozen base, a described key."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from glore_video.choices import MOST_SECONDS
from glore_video.errors import UsageError


def no_bool(value: Any) -> Any:
    """The value. Raises ValueError for True and False, which Python takes for 1 and 0."""
    if isinstance(value, bool):
        raise UsageError("a number is expected, not a truth value")
    return value


# Whole numbers that fit into 64 bits, as generators of random numbers and tensors want them.
Int = Annotated[int, BeforeValidator(no_bool), Field(lt=2**63)]
Float = Annotated[float, BeforeValidator(no_bool)]
Positive = Annotated[Int, Field(ge=1)]
NonNegative = Annotated[Int, Field(ge=0)]
NonNegativeFloat = Annotated[Float, Field(ge=0)]
PositiveFloat = Annotated[Float, Field(gt=0)]
Fraction01 = Annotated[Float, Field(ge=0, le=1)]
Seconds = Annotated[Float, Field(ge=0, le=MOST_SECONDS)]
Seed = Annotated[Int, Field(ge=0, lt=2**32)]
NumCrops = Annotated[Literal[1, 3, 5], BeforeValidator(no_bool)]  # True == 1
Share = Annotated[Float, Field(gt=0, le=1)]
BelowOne = Annotated[Float, Field(ge=0, lt=1)]


def _switch_or_auto(value: Any) -> Any:
    if value == "auto" or isinstance(value, bool):
        return value
    if value in (0, 1):  # as truth values of other keys may be written
        return bool(value)
    raise UsageError("True, False or auto is expected")


AutoBool = Annotated[bool | Literal["auto"], BeforeValidator(_switch_or_auto)]

# stage -> pathway -> 0-based block indices, as SlowFast's NONLOCAL.LOCATION
BlockLocations = tuple[tuple[tuple[NonNegative, ...], ...], ...]


def _none_or_two(counts: tuple[int, ...]) -> tuple[int, ...]:
    if len(counts) not in (0, 2):
        raise UsageError("two numbers are expected, units on Res3 and on Res4: [0, 3]")
    return counts


# Units on Res3 and on Res4; empty: counted otherwise.
UnitCounts = Annotated[tuple[NonNegative, ...], AfterValidator(_none_or_two)]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def key(default: Any, description: str) -> Any:
    return Field(default=default, description=description)
