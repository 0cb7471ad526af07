"""Lists of videos as they are kept in memory."""

import copy
import pickle

import pytest

from glore_video.data.video.video_list import VideoList

NAMES = ["a b.mp4", "", b"caf\xe9".decode("utf-8", "surrogateescape"), "été"]


@pytest.mark.parametrize(
    "way", [lambda v: v, copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))]
)
def test_paths_and_labels_come_back(tmp_path, way):
    videos = way(VideoList(tmp_path, NAMES, [3, 0, 2, 1], left_out=[("x", "bad")]))
    assert list(videos.paths()) == NAMES
    assert [videos.label(n) for n in range(4)] == videos.labels.tolist() == [3, 0, 2, 1]
    assert (len(videos), videos.left_out, videos.source) == (4, (("x", "bad"),), tmp_path)
    assert videos.index(2) is None


def test_labels_are_a_copy(tmp_path):
    videos = VideoList(tmp_path, ["a"], [3])
    videos.labels[0] = 7
    assert videos.label(0) == 3


def test_an_empty_list(tmp_path):
    assert len(VideoList(tmp_path, [], [])) == 0


def test_paths_and_labels_must_be_as_many(tmp_path):
    with pytest.raises(ValueError, match="2 paths, but 1 labels"):
        VideoList(tmp_path, ["a", "b"], [0])
