import numpy as np
import pytest
from encoded_videos import Encoded, decode_all, encode_corpus


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Encoded]:
    return encode_corpus(tmp_path_factory.mktemp("videos"))


@pytest.fixture(scope="session")
def oracle(corpus: dict[str, Encoded]) -> dict[str, list[np.ndarray]]:
    """Frames of the corpus by sequential decoding."""
    return {name: decode_all(encoded.path) for name, encoded in corpus.items()}
