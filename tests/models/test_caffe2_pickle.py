import os
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch

from glore_video.models.weights.caffe2_pickle import RefusedPickleError, read_caffe2_pickle


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_arrays_come_back_and_the_optimiser_stays_away(tmp_path, protocol):
    blobs = OrderedDict(
        conv1_w=np.arange(6, dtype=np.float32).reshape(2, 3),
        conv1_w_momentum=np.ones(3, np.float32),
        pred_b=np.float32(2.5),
        lr=np.float32([0.1]),
        model_iter=np.int64([7]),
    )
    path = tmp_path / "weights.pkl"
    path.write_bytes(pickle.dumps({"blobs": blobs, "cfg": "text"}, protocol=protocol))
    found = read_caffe2_pickle(path)
    assert list(found) == ["conv1_w", "pred_b"]
    assert torch.equal(found["conv1_w"], torch.tensor([[0.0, 1, 2], [3, 4, 5]]))
    assert found["pred_b"].item() == 2.5


def test_a_pickle_of_python_2(tmp_path):
    """Protocol 0 as Python 2 wrote it: str for bytes, numpy's old module names."""
    raw = np.float32([1.5, -2]).tobytes().decode("latin1")
    text = (
        "(dp1\nS'blobs'\np2\n(dp3\nS'conv1_w'\np4\ncnumpy.core.multiarray\n_reconstruct\np5\n"
        "(cnumpy\nndarray\np6\n(I0\ntp7\nS'b'\np8\ntp9\nRp10\n(I1\n(I2\ntp11\ncnumpy\ndtype\np12\n"
        "(S'f4'\np13\nI0\nI1\ntp14\nRp15\n(I3\nS'<'\np16\nNNNI-1\nI-1\nI0\ntp17\nbI00\n"
        f"S{raw!r}\np18\ntp19\nbss."
    )
    path = tmp_path / "python2.pkl"
    path.write_bytes(text.encode("latin1"))
    assert torch.equal(read_caffe2_pickle(path)["conv1_w"], torch.tensor([1.5, -2]))


class _Runs:
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("function", "arguments", "named"),
    [
        (os.mkdir, ("made",), "mkdir"),
        (eval, ("1",), "eval"),
        (np.load, ("x",), "numpy.*load"),
        (np.frompyfunc, (len, 1, 1), "frompyfunc"),
    ],
)
def test_code_is_refused_and_named(tmp_path, monkeypatch, function, arguments, named):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "evil.pkl"
    path.write_bytes(pickle.dumps({"blobs": {"conv1_w": _Runs(function, *arguments)}}))
    with pytest.raises(RefusedPickleError, match=named):
        read_caffe2_pickle(path)
    assert not (tmp_path / "made").exists()


def test_arrays_of_objects_are_no_weights(tmp_path):
    path = tmp_path / "objects.pkl"
    path.write_bytes(pickle.dumps({"blobs": {"conv1_w": np.array([{}, []], dtype=object)}}))
    assert read_caffe2_pickle(path) is None


@pytest.mark.parametrize(
    "content",
    [b"", b"text", pickle.dumps([1]), pickle.dumps({"blobs": 3})],
    ids=["empty", "text", "pickled list", "blobs that are none"],
)
def test_other_files(tmp_path, content):
    path = tmp_path / "other.pkl"
    path.write_bytes(content)
    assert read_caffe2_pickle(path) is None
