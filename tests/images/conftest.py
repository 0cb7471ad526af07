import pytest
from picture_corpus import Rendered, write_pictures


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Rendered]:
    return write_pictures(tmp_path_factory.mktemp("pictures"))
