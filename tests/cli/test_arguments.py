"""Numbers on the command line: of every program every numeric argument refuses what it can't use."""

import argparse
import ast
import importlib
from pathlib import Path

import pytest
import torch

from glore_video.cli.arguments import (
    Parser,
    above_zero,
    add_model_arguments,
    device,
    list_of,
    not_negative,
    number,
    positive,
    seconds,
    size,
    whole,
)
from glore_video.cli.main import VERBS

ROOT = Path(__file__).parents[2]
# What is text by its nature. An argument that is neither here nor checked fails the test below.
TEXT = {
    *(
        "--a --against --b --cfg --class --csv --device --glore-after --host --json --layer --like --model --out"
    ).split(),
    *(
        "--output --prefix --separator --source --split --test --timeline --train --unit --val --video"
    ).split(),
    *("--videos --weights file folder pairs runs scores source").split(),
}
ZERO_HAS_A_MEANING = {
    *("benchmark-loader --workers", "export --tolerance", "predict --workers"),
    *("prepare-elpv --seed", "prepare-kinetics --crf", "visualize --nodes"),
}


PARSERS = {
    verb: importlib.import_module(f"glore_video.cli.{verb.replace('-', '_')}").parser()
    for verb in VERBS
}


def numeric(parser):
    """Arguments that take a value, which is not text and not one of several words."""
    for action in parser._actions:
        name = action.option_strings[0] if action.option_strings else action.dest
        words = action.choices and all(isinstance(choice, str) for choice in action.choices)
        if action.nargs != 0 and not words and name not in TEXT:
            yield name


CASES = [
    (tool, name, word)
    for tool, parser in PARSERS.items()
    for name in numeric(parser)
    for word in ("0", "-1", "nan", "inf", "-inf", "1e999", "x", "")
    if word != "0" or f"{tool} {name}" not in ZERO_HAS_A_MEANING
]


@pytest.mark.parametrize(("tool", "name", "word"), CASES)
def test_a_number_that_is_none_is_refused_in_one_line(tool, name, word, capsys):
    with pytest.raises(SystemExit) as stop:
        PARSERS[tool].parse_args([f"{name}={word}"])
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: argument {name}: ")
    assert repr(word) in line or f"invalid choice: {word} (" in line


@pytest.mark.parametrize("case", sorted(ZERO_HAS_A_MEANING))
def test_zero_where_it_has_a_meaning(case):
    tool, name = case.split()
    (action,) = (each for each in PARSERS[tool]._actions if name in each.option_strings)
    assert action.type("0") in (0, [0])


def test_the_numbers_of_every_program_are_found():
    found = {(tool, name) for tool, name, _ in CASES}
    assert {tool for tool, _ in found} >= {"predict", "check-data", "visualize", "serve", "export"}
    assert {("predict", "--window"), ("ensemble", "--clips"), ("serve", "--port")} <= found
    assert len(found) > 25


@pytest.mark.parametrize("tool", PARSERS)
def test_defaults_are_allowed(tool):
    for action in PARSERS[tool]._actions:
        if isinstance(action.default, (int, float)) and not isinstance(action.default, bool):
            assert action.type(str(action.default)) == action.default, action.option_strings


@pytest.mark.parametrize(
    "path",
    [
        path
        for folder in ("tools", "benchmarks", "glore_video")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "add_argument" in path.read_text(encoding="utf-8")
    ],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_no_number_is_unchecked(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "add_argument":
            types = [ast.unparse(each.value) for each in node.keywords if each.arg == "type"]
            assert not {"int", "float"} & set(types), ast.unparse(node)


@pytest.mark.parametrize(
    ("kind", "good", "bad", "message"),
    [
        (
            positive,
            {"1": 1, "40": 40},
            ("0", "-1", "1.5", "1_0", "+1", "٣", "9" * 5000),
            "from 1 on",
        ),
        (not_negative, {"0": 0, "7": 7}, ("-1", "1e3"), "from 0 on"),
        (whole(1, 3), {"1": 1, "3": 3}, ("0", "4"), "a whole number from 1 to 3, got '"),
        (number(0), {"0": 0, "1e-4": 1e-4}, ("-1e-9", "inf", "nan"), "a number from 0 on, got '"),
        (number(0, 1), {"0": 0, "1": 1, ".5": 0.5}, ("1.1", "-0.1"), "a number from 0 to 1"),
        (above_zero, {"0.1": 0.1, "3": 3}, ("0", "-0.0", "-1", "inf"), "a number above 0, got '"),
        (
            seconds,
            {"0.1": 0.1, "31536000": 31536000},
            ("0", "31536001", "nan"),
            "seconds above 0, a year at most, got '",
        ),
        (
            size,
            {"64": (64, 64), "512x1024": (512, 1024), "1X2": (1, 2)},
            ("0", "0x5", "5x", "x", "1x2x3", "-1x5", "", "2.5"),
            "HEIGHTxWIDTH, got '",
        ),
        (
            list_of(positive),
            {"1": [1], "1,5, 10": [1, 5, 10]},
            ("", "1,", "1,0", "1 5", "1;5"),
            "each must be a whole number from 1 on",
        ),
    ],
    ids=[
        "positive",
        "not negative",
        "whole",
        "number",
        "share",
        "above zero",
        "seconds",
        "size",
        "list",
    ],
)
def test_types(kind, good, bad, message):
    for text, value in good.items():
        assert kind(text) == value
    for text in bad:
        with pytest.raises(argparse.ArgumentTypeError, match=message):
            kind(text)


def test_errors_of_a_parser(capsys):
    parser = Parser(prog="tool.py")
    parser.add_argument("--cfg", required=True)
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args([])
    assert capsys.readouterr().err == (
        "error: the following arguments are required: --cfg (--help explains all)\n"
    )


@pytest.mark.parametrize("text", ["cpu", "cpu:0", "mps"])
def test_devices(text):
    assert device(text) == text
    assert str(torch.device(text)) == text


@pytest.mark.parametrize("text", ["gpu", "cuda:", "cuda:01", "cuda:-1", "cpu ", ""])
def test_no_devices(text):
    with pytest.raises(argparse.ArgumentTypeError, match="is no device; cpu, cuda or cuda:0 is"):
        device(text)


def test_a_gpu_must_be_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(argparse.ArgumentTypeError, match="torch sees no GPU on this machine"):
        device("cuda:0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device("cuda:0") == "cuda:0"


def test_a_device_is_asked_for_only_where_one_is_named():
    parser = argparse.ArgumentParser()
    add_model_arguments(parser)
    assert parser.parse_args([]).device is None
