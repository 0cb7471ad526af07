"""A small network with GloRe units as a run leaves it, and real videos to show it."""

import gc
import logging
import os
import re
import signal
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

# One computing thread a process: the networks are small, and tests run side by side.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch

torch.set_num_threads(1)

# A shell that starts tests in the background has them ignore Ctrl-C, and all that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).parents[1]


def pytest_report_header() -> str:
    names = ("torch", "torchvision", "av", "numpy", "pydantic", "pytorchvideo", "timm")
    return "versions: " + ", ".join(f"{name} {version_of(name)}" for name in names)


def version_of(name: str) -> str:
    """Of a package; machines lent for their GPU may not have all, which some tests can do without."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Of long or binary values, and those of several lines, what can be read of the beginning."""
    text = val.decode("latin-1") if isinstance(val, bytes) else val
    if not isinstance(text, str) or (len(text) <= 60 and text.isprintable() and text is val):
        return None  # pytest's own
    readable = re.sub(r"[^ -~]+", "?", text[:60])
    return readable + ("..." if len(text) > 60 else "")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Any:
    """Modules and test items stay until the end: no search for garbage among them."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_unconfigure() -> None:
    gc.unfreeze()  # libraries ask at the end whether all of theirs is gone


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test is named by what it tests: no contents of files, nothing that does not fit a line."""
    for item in items:
        # pytest writes control characters, and bytes that are no text, as \x and two digits.
        unreadable = re.search(r"\\x[0189]", item.nodeid) or not item.nodeid.isprintable()
        if len(item.nodeid) > 200 or unreadable:
            raise pytest.UsageError(f"give the parameters readable ids=: {item.nodeid[:200]}")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """The same random numbers for a test and its fixtures, in whatever order tests run."""
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("no GPU here")
    torch.manual_seed(0)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Any:
    """Commands that a test calls set up logging for a process of their own; undo that."""
    logger = logging.getLogger("glore_video")
    handlers, level, propagate = list(logger.handlers), logger.level, logger.propagate
    try:
        return (yield)
    finally:
        for handler in set(logger.handlers) - set(handlers):
            handler.close()
        logger.handlers[:] = handlers
        logger.propagate = propagate
        logger.setLevel(level)


@pytest.fixture
def no_workers_left():
    """Nor what they have left: torch would wait for those that hang, and two may fail of which one is heard."""
    from glore_video.processes import ending, records

    folder = records.open_records()
    yield
    ending.end_children(0.1)
    for path in folder.glob("*.json"):
        records.take(int(path.stem))


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory):
    """A run's checkpoint: 2 classes, units after stage1.1 and stage2.0 that do something."""
    return write_checkpoint(
        tmp_path_factory.mktemp("rün with space"),
        ["quickstart_same_glore.yaml", "TEST.NUM_ENSEMBLE_VIEWS", "3"],
        ["hopping", "jumping <high>"],
    )


@pytest.fixture(scope="session")
def picture_checkpoint(tmp_path_factory):
    """The same of a run on pictures."""
    return write_checkpoint(
        tmp_path_factory.mktemp("rün of pictures"),
        ["quickstart_image_same_glore.yaml"],
        ["dark & grey", "bright"],
    )


@pytest.fixture(scope="session")
def scene_checkpoint(tmp_path_factory):
    """The same of a run that segments: Cityscapes' 19 classes, units in the backbone and in the head."""
    from glore_video.data.masks.cityscapes_labels import cityscapes_classes

    keys = {
        "TASK": "segmentation",
        "MODEL.ARCH": "tiny2d",
        "MODEL.NUM_CLASSES": 19,
        "HEAD.FORM": "glore",
        "HEAD.CHANNELS": 16,
        "HEAD.NODES": 5,
        "GLORE.AFTER": "[backbone.stage1.1]",
        "DATA.TRAIN_CROP_SIZE": 48,
        "DATA.TRAIN_CROP_HEIGHT": 32,
    }
    folder = tmp_path_factory.mktemp("rün of scenes")
    (folder / "empty.yaml").write_text("")
    pairs = [str(word) for pair in keys.items() for word in pair]
    names = list(cityscapes_classes().names)
    return write_checkpoint(folder, [str(folder / "empty.yaml"), *pairs], names)


def write_checkpoint(folder: Path, cfg: list[str], class_names: list[str]) -> Path:
    from glore_video.config import load_config
    from glore_video.engine.checkpoint import checkpoint_path, save_checkpoint
    from glore_video.models import glore_units
    from glore_video.models.networks.heads import head_path
    from glore_video.runs.network import build_model
    from glore_video.runs.settling import settled

    config = settled(load_config(ROOT / "configs" / cfg[0], cfg[1:]))
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = build_model(config)
        for unit in glore_units(model).values():
            torch.nn.init.normal_(unit.blocker.weight)
        torch.nn.init.normal_(model.get_submodule(head_path(model)).weight)
    path = checkpoint_path(folder, 1)
    save_checkpoint(
        path,
        {
            "model_state": model.state_dict(),
            "epoch": 1,
            "config": config.model_dump(mode="json"),
            "class_names": class_names,
        },
    )
    return path


@pytest.fixture(scope="session")
def moving_video(tmp_path_factory):
    """30 frames at 10 fps, 96 x 72 pixels: a bright square that moves right over a dark pattern."""
    import numpy as np

    from glore_video.video.writing import VideoWriter

    y, x = np.mgrid[:72, :96]
    frames = np.empty((30, 72, 96, 3), dtype=np.uint8)
    frames[:] = (55 + 30 * np.sin(x / 9) + 20 * np.cos(y / 7))[None, ..., None]
    for number, frame in enumerate(frames):
        frame[28:44, 2 * number : 2 * number + 16] = (230, 200, 60)
    path = tmp_path_factory.mktemp("vidéos") / "moving squäre.mp4"
    with VideoWriter(path, fps=10) as writer:
        writer.write(frames)
    return path


@pytest.fixture(scope="session")
def a_picture(tmp_path_factory):
    """64 x 90 pixels: two bright squares, one of them striped, on a dark pattern."""
    import numpy as np
    from PIL import Image

    y, x = np.mgrid[:64, :90]
    values = np.repeat((55 + 30 * np.sin(x / 9) + 20 * np.cos(y / 7))[..., None], 3, axis=2)
    values[8:28, 16:36] = (230, 200, 60)
    values[36:56, 50:70] = (60, 120, 230)
    values[36:56:4, 50:70] = 20
    path = tmp_path_factory.mktemp("pictürés") / "two squäres.png"
    Image.fromarray(values.astype(np.uint8)).save(path)
    return path


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
