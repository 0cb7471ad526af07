"""YAML files and KEY VALUE pairs -> Config. Every error is one line that names key, value and source."""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from glore_video.config.making_way import make_way
from glore_video.config.schema import Config, Section
from glore_video.config.shipped import find_config
from glore_video.config.slowfast_keys import (
    FIXED_KEYS,
    IGNORED_KEYS,
    IGNORED_SECTIONS,
    MULTIGRID_REFUSED,
)
from glore_video.errors import UsageError

logger = logging.getLogger(__name__)


class _Loader(yaml.SafeLoader):
    """Safe YAML in which 1e-4 is a number, as in YAML 1.2 (PyYAML follows 1.1: a string)."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def parse_value(text: str) -> Any:
    """The value of a KEY VALUE pair, read as YAML: numbers, True, [1, 2], text, which may be empty."""
    if not text.strip():
        return ""  # not YAML's null: a shell passes KEY '' as an empty word
    try:
        return yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, ValueError, RecursionError):  # as of 2001-99-99, 0x_ and [[[[...
        return text


def load_config(path: str | Path | None = None, pairs: Sequence[str] = ()) -> Config:
    """Read a YAML file (and the `_BASE_` files under it), apply pairs, check everything.

    Args:
        path: YAML file, or the name of one that comes with the package (`k400_glore_r50`), or None
            for the defaults alone. `_BASE_` takes either, too.
        pairs: alternating keys and values, `["DATA.NUM_FRAMES", "16", ...]`.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: bad YAML, unknown key, wrong value; the message says which, where, what fits.
    """
    of_slowfast: list[Path] = []
    tree = {} if path is None else _read_yaml(find_config(str(path)), (), of_slowfast)
    _check_brackets(pairs)
    if len(pairs) % 2:
        raise UsageError(
            f"KEY VALUE pairs: {pairs[-1]!r} has no value"
            + (", which stands after a space, not after =" if "=" in "".join(pairs[::2]) else "")
        )
    for name, text in zip(pairs[::2], pairs[1::2], strict=True):
        part: dict[str, Any] = {}
        _assign(part, name, text)
        part = _known(part, source="the command line")
        make_way(tree, part, pairs[::2])
        _merge(tree, part)
    if of_slowfast and "CLIP_SPACING" not in tree.get("DATA", {}):
        logger.warning(
            "%s: SlowFast's own file, so its frames of a clip: DATA.CLIP_SPACING = linspace",
            of_slowfast[0],
        )
        tree.setdefault("DATA", {})["CLIP_SPACING"] = "linspace"
    return _validate(tree)


def _check_brackets(pairs: Sequence[str]) -> None:
    """Raises ValueError for a list that a shell has taken apart at its spaces."""
    for name, text in zip(pairs[::2], pairs[1::2], strict=False):
        if text.startswith("[") and text.count("[") > text.count("]"):
            rest = pairs[list(pairs).index(name) + 1 :]
            whole = " ".join(rest[: 1 + next((i for i, w in enumerate(rest) if "]" in w), 0)])
            raise UsageError(f'{name} {text}: a list with spaces needs quotes: {name} "{whole}"')


def with_values(config: Config, values: Mapping[str, Any]) -> Config:
    """The configuration with other values of some keys ("MODEL.NUM_CLASSES"), checked as a whole.

    What was not set counts as not set afterwards. Raises UsageError for values that do not fit.
    """
    tree = config.model_dump(exclude_unset=True)
    for name, value in values.items():
        part: dict[str, Any] = {}
        *sections, leaf = name.split(".")
        inner = part
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[leaf] = value
        _merge(tree, part)
    return _validate(tree)


def flatten(config: Section, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """All keys with their values, e.g. ("DATA.NUM_FRAMES", 8), in the order of the schema."""
    for name in type(config).model_fields:
        value = getattr(config, name)
        if isinstance(value, Section):
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def to_yaml(config: Config) -> str:
    """The whole configuration as YAML that `load_config` reads back to the same."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, default_flow_style=None)


def describe() -> str:
    """One line a key: name, default, meaning."""
    lines = []
    for prefix, model in _sections():
        for name, field in model.model_fields.items():
            if not _is_section(field.annotation):
                default = _plain(field.default)
                shown = (
                    repr(default) if isinstance(default, str) and not default.strip() else default
                )
                lines.append(
                    f"{prefix + name:<33} {shown!s:<24} {field.description}{_choices(field.annotation)}"
                )
    return "\n".join(lines)


def _choices(annotation: Any) -> str:
    """The values of a Literal, " (one of a, b)"; nothing for other types."""
    if get_origin(annotation) is not Literal:
        return ""
    return f" (one of {', '.join(repr(x) if x == '' else str(x) for x in get_args(annotation))})"


def _read_yaml(path: Path, seen: tuple[Path, ...], of_slowfast: list[Path]) -> dict[str, Any]:
    """The keys of a file and those under it; files with keys that only SlowFast has are noted."""
    resolved = path.resolve()
    if resolved in seen:
        raise UsageError(f"{path}: _BASE_ leads back to this file")
    try:
        tree = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader) or {}
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not a text file in UTF-8 ({error.reason})") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else f"{path}"
        problem = str(getattr(error, "problem", None) or error).partition("\n")[0]
        raise UsageError(f"{where}: not valid YAML: {problem}") from None
    except (ValueError, RecursionError) as error:  # as of 2001-99-99, 0x_ and [[[[...
        raise UsageError(f"{path}: a value that YAML can't read: {error}") from None
    if not isinstance(tree, dict):
        raise UsageError(f"{path}: KEY: value lines are expected, not a {type(tree).__name__}")
    base = tree.pop("_BASE_", None)
    result: dict[str, Any] = {}
    if base is not None:
        if not isinstance(base, str):
            raise UsageError(f"{path}: _BASE_ = {base!r}: the path of one YAML file is expected")
        result = _read_yaml(find_config(base, path.parent), (*seen, resolved), of_slowfast)
    if _has_slowfast_keys(tree):
        of_slowfast.append(path)
    tree = _known(tree, source=str(path))
    make_way(result, tree)
    _merge(result, tree)
    return result


def _has_slowfast_keys(tree: dict[str, Any]) -> bool:
    names = set(tree).union(
        f"{section}.{name}"
        for section, keys in tree.items()
        if isinstance(keys, dict)
        for name in keys
    )
    return not names.isdisjoint(IGNORED_SECTIONS | IGNORED_KEYS | FIXED_KEYS.keys())


def _assign(tree: dict[str, Any], name: str, text: str) -> None:
    *sections, leaf = name.split(".")
    for section in sections:
        tree = tree.setdefault(section, {})
    tree[leaf] = _unquoted(text) if name in _text_keys() else parse_value(text)


def _unquoted(text: str) -> str:
    """Text as it is; two quotes, which a shell has left, are an empty one."""
    return "" if text in ("''", '""') else text


@cache
def _text_keys() -> frozenset[str]:
    """Keys whose value is text, so that a folder called 007 keeps its name."""
    return frozenset(
        prefix + name
        for prefix, model in _sections()
        for name, field in model.model_fields.items()
        if field.annotation is str
    )


def _merge(into: dict[str, Any], tree: dict[str, Any]) -> None:
    for name, value in tree.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        else:
            into[name] = value


def _known(tree: dict[str, Any], *, source: str) -> dict[str, Any]:
    """Drop keys of SlowFast's that mean nothing here (with a warning), refuse unknown ones."""
    without_effect: list[str] = []
    kept = _filter(tree, Config, "", source, without_effect)
    # SlowFast tells its C2D without temporal pooling by the class alone.
    model = tree.get("MODEL")
    if isinstance(model, dict) and model.get("MODEL_NAME") == "ResNet_nopool":
        kept["MODEL"]["ARCH"] = "c2d_nopool"
    if without_effect:
        logger.warning("%s: no effect here: %s", source, ", ".join(without_effect))
    return kept


def _filter(
    tree: dict[str, Any], model: type[Section], prefix: str, source: str, dropped: list[str]
) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in tree.items():
        full = f"{prefix}{name}"
        field = model.model_fields.get(name)
        if full == "MULTIGRID":
            if any((value or {}).values()) if isinstance(value, dict) else value:
                raise UsageError(f"{source}: {MULTIGRID_REFUSED.format(key=full)}")
        elif full in FIXED_KEYS:
            allowed = FIXED_KEYS[full]
            if value not in allowed:
                choices = " or ".join(map(str, allowed))
                raise UsageError(f"{source}: {full} = {value!r} is not supported, only {choices}")
        elif full in IGNORED_KEYS or full in IGNORED_SECTIONS:
            dropped.append(full)
        elif field is None:
            while isinstance(value, dict) and value and full.count(".") < 3:  # it may hold itself
                name, value = next(iter(value.items()))
                full = f"{full}.{name}"
            raise UsageError(f"{source}: unknown key {full}{_nearest(full)}")
        elif _is_section(field.annotation):
            if not isinstance(value, dict):
                raise UsageError(
                    f"{source}: {full} = {value!r}: it is a section, with keys below it"
                )
            kept[name] = _filter(value, field.annotation, f"{full}.", source, dropped)  # type: ignore[arg-type]
        elif isinstance(value, str) and "\0" in value:
            raise UsageError(f"{source}: {full} = {value!r}: no file or name has a zero byte in it")
        else:
            kept[name] = value
    return kept


def _nearest(name: str) -> str:
    names = [key for key, _ in flatten(Config())]
    if name.upper() in names:
        return f"; did you mean {name.upper()}?"
    if "." not in name:
        names += [section for section in Config.model_fields if section not in names]
    leaf = name.rpartition(".")[2]
    same_leaf = [key for key in names if key.rpartition(".")[2] == leaf]
    # A misspelt section, SOLVR.BASE_LR, is nearer to SOLVER.BASE_LR than to SOLVER.LRS.
    close = difflib.get_close_matches(name, same_leaf, n=1, cutoff=0.0)
    close = close or difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else "; --help-config lists the known ones"


def _validate(tree: dict[str, Any]) -> Config:
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        raise UsageError("; ".join(_messages(error))) from None


def _messages(error: ValidationError) -> Iterable[str]:
    for item in error.errors(include_url=False):
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "value_error" and message.split(" ")[0].isupper():
            yield message  # our own checks over several keys name them
        else:
            name = ".".join(part for part in item["loc"] if isinstance(part, str))
            yield f"{name} = {item['input']!r}: {_in_words(item) or message}"


def _in_words(item: ErrorDetails) -> str:
    """What pydantic calls tuples, integers and booleans, as one who writes YAML knows it."""
    kind, value = item["type"], item["input"]
    if kind == "tuple_type":
        if any(isinstance(part, int) for part in item["loc"]):
            return "a list of such is expected, in brackets of its own"
        return (
            f'a list is expected, such as "[{value}]"'
            if isinstance(value, str)
            else "a list is expected"
        )
    if kind == "missing":
        return f"{int(item['loc'][-1]) + 1} values are expected" if item["loc"] else ""
    if kind == "too_long":
        return f"{item['ctx']['max_length']} values are expected"
    return {
        "bool_parsing": "True or False is expected",
        "bool_type": "True or False is expected",
        "int_parsing": "a whole number is expected",
        "int_type": "a whole number is expected",
        "int_from_float": "a whole number is expected",
        "float_parsing": "a number is expected",
        "float_type": "a number is expected",
        "string_type": "text is expected",
        "string_too_short": "must not be empty",
    }.get(kind, "")


def _sections() -> Iterator[tuple[str, type[Section]]]:
    yield "", Config
    for name, field in Config.model_fields.items():
        if _is_section(field.annotation):
            yield f"{name}.", field.annotation  # type: ignore[misc]


def _is_section(annotation: Any) -> bool:
    # To Python 3.10 list[int] is a type too, but no class.
    return (
        get_origin(annotation) is None
        and isinstance(annotation, type)
        and issubclass(annotation, Section)
    )


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return "''" if value == "" else value
