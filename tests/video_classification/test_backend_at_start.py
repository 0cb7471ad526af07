"""A run whose videos nothing installed can read says so before it starts."""

import pytest

from glore_video.config import load_config
from glore_video.errors import UsageError
from glore_video.tasks.video_classification import task_data
from glore_video.tasks.video_classification.task import VideoClassification


@pytest.mark.parametrize("backend", ["decord", "torchcodec"])
def test_a_package_that_is_not_there(backend, monkeypatch):
    config = load_config(pairs=["DATA.DECODING_BACKEND", backend])
    looked_for = []
    monkeypatch.setattr(task_data, "find_spec", looked_for.append)
    with pytest.raises(UsageError, match=f"DATA.DECODING_BACKEND = {backend} needs the package"):
        _ = VideoClassification(config).class_names
    assert looked_for == [backend]


def test_pyav_is_there():
    task_data.check_backend(load_config())
