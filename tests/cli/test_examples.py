"""Commands that help texts and documentation show can be typed: arguments, configurations, keys, networks."""

import importlib
import re
import shlex
from pathlib import Path

import pytest

from glore_video.cli.main import VERBS
from glore_video.cli.terminal import check_model_name
from glore_video.config import load_config

ROOT = Path(__file__).parents[2]


def parser_of(verb):
    return importlib.import_module(f"glore_video.cli.{verb.replace('-', '_')}").parser()


def in_help():
    for verb in VERBS:
        for line in parser_of(verb).epilog.splitlines():
            if re.match(r"  \S", line):
                yield f"{verb} --help", line


def in_documentation():
    """Lines of code, fenced or indented, of which some go on after a backslash."""
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        parts = path.read_text(encoding="utf-8").replace("\\\n", " ").split("```")
        fenced = [line for part in parts[1::2] for line in part.splitlines()]
        indented = [line for part in parts[::2] for line in re.findall(r"(?m)^    (\S.*)", part)]
        for line in [*fenced, *indented]:
            if re.match(r"(torchrun .* -m )?glore[-_]video |python tools/", line):
                yield str(path.relative_to(ROOT)), line


def words_of(line):
    """The verb and what follows it; <what a reader fills in> is one word."""
    line = re.sub(r"<[^>]*>", "something", line)
    line = line.replace("tools/run_net.py", "glore-video train")
    return shlex.split(re.split(r"\bglore[-_]video ", line, maxsplit=1)[1], comments=True)


EXAMPLES = [(where, line.strip()) for where, line in [*in_help(), *in_documentation()]]


def test_examples_are_found():
    found = {where for where, _ in EXAMPLES}
    assert found >= {f"{verb} --help" for verb in VERBS}
    assert found >= {"README.md", "docs/training.md", "docs/cluster.md", "docs/predict.md"}
    assert {words_of(line)[0] for _, line in EXAMPLES} == VERBS.keys()


@pytest.mark.parametrize(
    ("where", "line"),
    EXAMPLES,
    ids=[f"{where}, {number}" for number, (where, _) in enumerate(EXAMPLES)],
)
def test_an_example_can_be_typed(where, line, monkeypatch):
    monkeypatch.chdir(ROOT)  # of configs/*.yaml
    verb, *words = words_of(line)
    args = parser_of(verb).parse_intermixed_args(words)
    pairs = getattr(args, "pairs", [])
    configs = getattr(args, "cfg", "") or []
    for config in [configs] if isinstance(configs, str) else configs:
        readers = config == "my.yaml" or config.startswith("outputs/")
        load_config(None if readers else config, pairs)
    models = getattr(args, "model", "") or []
    for name in [models] if isinstance(models, str) else models:
        check_model_name(name)
