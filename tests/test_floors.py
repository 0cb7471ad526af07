"""The floors of the package: who may import whom, what an import costs, where decoders are touched."""

import ast
import graphlib
import importlib
from functools import cache
from pathlib import Path

import pytest
from fresh_python import fresh_python

from glore_video.tasks import TASKS

PACKAGE = Path(__file__).parents[1] / "glore_video"
# A folder may import itself and what stands behind it here.
ALLOWED = {
    "errors": set(),
    "choices": {"errors"},
    "seeding": set(),
    "processes": {"errors"},
    "files": {"errors"},
    "config": {"errors", "choices"},
    "statistics": {"errors"},
    "reports": {"errors", "files", "statistics"},
    "models": {"errors", "choices", "files"},
    "video": {"errors", "choices", "files"},
    "images": {"errors", "files", "pixels"},
    "pixels": {"errors"},
    "data": {"errors", "files", "processes", "seeding", "video", "images"},
    "engine": {"errors", "files", "processes", "seeding", "models"},
    "inspection": {"errors", "reports", "models"},
    "tasks": {
        *("errors", "choices", "files", "processes", "config", "statistics", "reports"),
        *("seeding", "models", "video", "images", "pixels", "data", "engine", "inspection"),
    },
    "prediction": {
        *("errors", "choices", "files", "processes", "config", "inspection"),
        *("models", "video", "images", "pixels", "data", "engine", "tasks", "runs"),
    },
    "runs": {
        *("errors", "choices", "files", "processes", "config"),
        *("models", "video", "pixels", "data", "engine", "tasks"),
    },
    "serving": {
        "errors",
        "inspection",
        "models",
        "video",
        "pixels",
        "data",
        "engine",
        "tasks",
        "prediction",
    },
    "cli": {
        *("errors", "choices", "files", "processes", "config", "models", "video", "data", "engine"),
        *("pixels", "reports", "inspection", "tasks", "prediction", "runs", "serving"),
    },
    "__init__": {"models", "prediction"},
    "__main__": {"cli"},
}
SEES_CONFIG = ("cli/", "runs/", "prediction/loading.py", "tasks/")


@cache
def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imported_names(path):
    """Modules, and names in modules, with the module before a dot."""
    package = ["glore_video", *path.relative_to(PACKAGE).parts[:-1]]
    names = []
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names += [f"{module}.{alias.name}" for alias in node.names]
    return names


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_floor(path):
    floor = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for module in imported_names(path):
        parts = module.split(".")
        if parts[0] == "glore_video" and len(parts) > 1 and parts[1] in ALLOWED:
            assert parts[1] in {floor, *ALLOWED[floor]}, module
        if parts[:2] == ["glore_video", "config"] and floor != "config":
            assert path.relative_to(PACKAGE).as_posix().startswith(SEES_CONFIG), (
                "sees a whole Config"
            )
        if path.parent == PACKAGE / "data":
            of_video = parts[1:2] == ["video"] or parts[1:3] == ["data", "video"]
            assert not of_video, "data/*.py is for pictures too"
        if parts[0] in ("av", "decord", "torchcodec"):
            encodes = path.name in ("videos.py", "reencoding.py")
            assert floor == "video" or encodes, f"{module}: only video/ touches decoders"


ANY_TASK = [
    path
    for path in FILES
    if path.relative_to(PACKAGE).parts[0] in ("prediction", "serving", "runs")
    or path.relative_to(PACKAGE).as_posix()
    in (
        *("cli/predict.py", "cli/visualize.py", "cli/serve.py", "cli/export.py"),
        *("cli/drawn_predictions.py", "cli/prediction_output.py", "cli/check_data.py"),
        *("cli/compare.py", "cli/report.py"),
        *("cli/train.py", "cli/test.py", "cli/benchmark_loader.py"),
    )
]


@pytest.mark.parametrize("path", ANY_TASK, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_verbs_ask_the_task(path):
    """Only prediction/__init__.py names tasks, for the public names that come from them late."""
    if path != PACKAGE / "prediction" / "__init__.py":
        of_tasks = [m for m in imported_names(path) if m.startswith("glore_video.tasks.")]
        rooms = {name.split(".")[2] for name in TASKS.values()}
        rooms |= {"classification"} if path.name in ("compare.py", "report.py") else set()
        assert not [m for m in of_tasks if m.split(".")[2] in rooms]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_nothing_is_called_like_a_test(path):
    names = [
        node.name
        for node in parsed(path).body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
    ]
    # pytest would collect it from every test file that imports it.
    assert not [name for name in names if name.startswith(("test_", "Test"))]


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.parent.name == "units"], ids=lambda p: p.name
)
def test_units_see_no_other_room_of_models(path):
    seen = [m for m in imported_names(path) if m.startswith("glore_video.models.")]
    assert all(m.startswith("glore_video.models.units.") for m in seen)


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if path.relative_to(PACKAGE).parts[0] == "engine"],
    ids=lambda p: p.name,
)
def test_engine_sees_units_alone_of_models(path):
    seen = [m for m in imported_names(path) if m.startswith("glore_video.models.")]
    assert all(m.startswith("glore_video.models.units.") for m in seen)


def module_name(path):
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(
        ".__init__"
    )


def import_graph():
    """Module of the package -> those it imports: at its top, in a function, or to check types."""
    modules = {module_name(path) for path in FILES}
    return {
        module_name(path): modules.intersection(
            name if name in modules else name.rpartition(".")[0] for name in imported_names(path)
        )
        for path in FILES
    }


def circle(graph):
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return " <- ".join(error.args[1])
    return ""


def test_no_circle_of_imports():
    assert circle(import_graph()) == ""


def test_a_circle_is_found():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}).count("<-") == 3


def test_every_folder_is_on_a_floor():
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    assert folders <= ALLOWED.keys()


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import glore_video", ("torch", "av", "decord", "pytorchvideo")),
        (
            "import glore_video.cli.arguments",
            ("torch", "numpy", "av", "decord", "pydantic", "yaml", "glore_video.cli.main"),
        ),
        ("import glore_video.errors", ("torch", "numpy", "av", "decord", "pydantic")),
        ("import glore_video.files.locks", ("torch", "numpy", "av", "decord", "pydantic")),
        (
            "import glore_video.models",
            ("av", "decord", "torchvision", "pydantic", "glore_video.models.units.triton_graph"),
        ),
        ("import glore_video.video", ("torch", "numpy", "av", "decord")),
        ("import glore_video.images", ("torch", "numpy", "PIL")),
        ("import glore_video.images.masks", ("av", "decord", "pydantic", "glore_video.video")),
        ("import glore_video.data.class_lists", ("av", "glore_video.video")),
        ("import glore_video.data.check_sources", ("av", "glore_video.video")),
        ("import glore_video.video.opening", ("av", "decord", "pytorchvideo")),
        ("import glore_video.config", ("torch", "av", "decord")),
        (
            "from glore_video.prediction import predict",
            ("glore_video.engine.trainer", "glore_video.engine.tester", "glore_video.runs.run"),
        ),
    ],
)
def test_imports_are_light(statement, absent):
    check = f"{statement}; import sys; print([m for m in {absent!r} if m in sys.modules])"
    # Most of the others import torch.
    done = (fresh_python() if "torch" in absent else fresh_python("torch")).run(check)
    assert done.stdout.strip() == "[]", done.stderr


def test_public_names():
    import glore_video

    assert {"create_model", "predict", "__version__"} <= set(dir(glore_video))
    assert callable(glore_video.create_model)
    assert "glore_r50_8x8" in glore_video.list_models()
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = glore_video.nothing


@pytest.mark.parametrize("package", ["glore_video", "glore_video.video", "glore_video.images"])
def test_names_that_come_late_are_listed(package):
    module = importlib.import_module(package)
    assert set(module.__all__) <= set(dir(module))
    assert all(hasattr(module, name) for name in dir(module))
    check = f"import {package}; print(set({package}.__all__) <= set(dir({package})))"
    done = fresh_python().run(check)
    assert done.stdout.strip() == "True", done.stderr
