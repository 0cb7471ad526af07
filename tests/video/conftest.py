from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from odd_videos import Odd, make_odd_videos
from video_corpus import Encoded, damage_corpus, encode_corpus


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Encoded]:
    return encode_corpus(tmp_path_factory.mktemp("videos"))


@pytest.fixture(scope="session")
def damaged(
    corpus: dict[str, Encoded], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Path, Encoded]]:
    return damage_corpus(corpus, tmp_path_factory.mktemp("damaged"))


@pytest.fixture(scope="session")
def oracle(corpus: dict[str, Encoded]) -> dict[str, list[np.ndarray]]:
    """Frames of the corpus by sequential decoding."""
    return {name: encoded.frames() for name, encoded in corpus.items()}


@pytest.fixture(scope="session")
def odd(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Odd]:
    return make_odd_videos(tmp_path_factory.mktemp("odd"))


@pytest.fixture(params=["pyav", "decord", "torchcodec"])
def backend(request: pytest.FixtureRequest) -> str:
    """Each backend that can be used here."""
    try:
        import_module(f"glore_video.video.{request.param}_backend")
    except ImportError as error:
        pytest.skip(str(error))
    return request.param
