"""MXNet's .params files: those that MXNet 1.9.1 wrote (mxnet_files/make.py) and older forms."""

import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from glore_video.models.weights.files import read_weights
from glore_video.models.weights.mxnet_params import read_mxnet_params

FILES = Path(__file__).parent / "mxnet_files"
V1, V2 = 0xF993FAC8, 0xF993FAC9


def packed(array, version=V2, *, flag=0, storage=0):
    """One array. Without a version: 32-bit shape, as before MXNet 0.12."""
    if version is None:
        head = struct.pack(f"<I{array.ndim}I", array.ndim, *array.shape)
    else:
        head = struct.pack("<I", version) + (struct.pack("<i", storage) if version > V1 else b"")
        head += struct.pack(f"<i{array.ndim}q", array.ndim, *array.shape)
    return head + struct.pack("<iii", 1, 0, flag) + array.tobytes()


def listed(arrays, names):
    encoded = [name if isinstance(name, bytes) else name.encode() for name in names]
    return b"".join(
        [
            struct.pack("<QQQ", 0x112, 0, len(arrays)),
            *arrays,
            struct.pack("<Q", len(encoded)),
            *(struct.pack("<Q", len(name)) + name for name in encoded),
        ]
    )


WEIGHT = np.arange(6, dtype=np.float32).reshape(2, 3)


def test_types_as_mxnet_writes_them():
    stored = read_weights(FILES / "types.params")
    assert stored.mxnet
    moving = stored.state.pop("moving")
    assert torch.equal(moving, torch.tensor([0.25, -3.5]))
    assert list(stored.state) == [
        *("float32", "float64", "float16", "uint8", "int8", "int32", "int64", "bool")
    ]
    for name, tensor in stored.state.items():
        assert tensor.dtype == getattr(torch, name)
        assert tensor.tolist() == [[0, 1, 1], [1, 0, 1]]


def test_gluon_and_numpy_shapes_as_mxnet_writes_them():
    gluon = read_weights(FILES / "gluon.params").state
    assert {key: value.tolist() for key, value in gluon.items()} == {
        "gamma": [1, 1],
        "beta": [0, 0],
        "running_mean": [0, 0],
        "running_var": [1, 1],
    }
    state = read_weights(FILES / "numpy_shapes.params").state
    assert state["s"].shape == ()
    assert state["s"].item() == 3.5
    assert state["none"].shape == (0, 3)


@pytest.mark.parametrize("version", [None, V1, V2], ids=["32 bit", "version 1", "version 2"])
def test_every_version(tmp_path, version):
    path = tmp_path / "née à Paris.params"
    path.write_bytes(
        listed([packed(WEIGHT, version), packed(WEIGHT[0], version)], ["a:w", "aux:m"])
    )
    state = read_weights(path).state
    assert torch.equal(state["a:w"], torch.arange(6.0).view(2, 3))
    assert torch.equal(state["m"], torch.arange(3.0))
    state["m"].add_(1)  # it can be written to


def test_an_array_without_a_shape_is_left_out(tmp_path):
    path = tmp_path / "w.params"
    nothing = struct.pack("<Iii", V2, 0, 0)
    path.write_bytes(listed([nothing, packed(WEIGHT)], ["none", "w"]))
    assert list(read_weights(path).state) == ["w"]


def test_what_is_not_weights_is_named():
    with pytest.raises(ValueError, match=r"sparse\.params .*array 0 is sparse \(storage type 2\)"):
        read_weights(FILES / "sparse.params")
    with pytest.raises(ValueError, match=r"unnamed\.params .*0 names for 1 arrays; .* by name"):
        read_weights(FILES / "unnamed.params")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (listed([], []), "it holds no arrays"),
        (listed([packed(WEIGHT)], ["a", "b"]), "it has 2 names for 1 arrays"),
        (listed([packed(WEIGHT)] * 2, ["arg:a", "aux:a"]), "it has the name a twice"),
        (listed([packed(WEIGHT, flag=99)], ["a"]), "array 0 has the unknown data type 99"),
        (listed([packed(WEIGHT, storage=1)], ["a"]), "array 0 is sparse"),
        (listed([packed(WEIGHT)], [b"\xff"]), "a name is no text"),
        (listed([packed(WEIGHT)], ["a"]) + b"x", "there is more in it after the last name"),
        (struct.pack("<QQQ", 0x112, 0, 2**60), "1152921504606846976 arrays cannot be in it"),
        (listed([struct.pack("<I", 77)], ["a"]), "an array of 77 dimensions"),
        (listed([struct.pack("<Iiiqq", V2, 0, 2, 2, -1)], ["a"]), r"of shape \(2, -1\)"),
        (listed([struct.pack("<Iii4q3i", V2, 0, 4, *[2**62] * 4, 1, 0, 0)], ["a"]), "cut off"),
    ],
    ids=[
        *("no arrays", "names", "twice", "type", "sparse", "text", "rest", "count"),
        *("dimensions", "shape", "huge"),
    ],
)
def test_damaged_files(tmp_path, content, reason):
    path = tmp_path / "w.params"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"w\.params is not an MXNet file .*{reason}") as error:
        read_weights(path)
    assert "\n" not in str(error.value)


def test_a_file_that_is_cut_off_anywhere_is_refused(tmp_path):
    whole = (FILES / "types.params").read_bytes()
    path = tmp_path / "w.params"
    for length in range(8, len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="is not an MXNet file"):
            read_mxnet_params(path)
