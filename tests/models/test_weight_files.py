import os
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from glore_video.engine.checkpoint import read_checkpoint
from glore_video.models.networks.insertion import insert_glore
from glore_video.models.units.glore_unit import GloreUnit1d
from glore_video.models.weights.files import read_weights, save_weights


def network(normalize: bool | None = None) -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv1d(2, 4, 1), nn.BatchNorm1d(4))
    return model if normalize is None else insert_glore(model, after=["0"], normalize=normalize)


@pytest.mark.parametrize("suffix", [".pyth", ".safetensors"])
@pytest.mark.parametrize("normalize", [None, True, False])
def test_what_is_saved_is_read(tmp_path, suffix, normalize):
    if suffix == ".safetensors":
        pytest.importorskip("safetensors")
    model = network(normalize)
    path = tmp_path / f"weights{suffix}"
    save_weights(model, path)
    stored = read_weights(path)
    assert stored.normalize is normalize
    assert not stored.caffe2
    expected = model.state_dict()
    assert set(stored.state) == set(expected)
    assert all(torch.equal(value, expected[key]) for key, value in stored.state.items())


def test_saving_tied_and_strided_parameters(tmp_path):
    pytest.importorskip("safetensors")
    model = nn.ModuleList([nn.Linear(2, 3), nn.Linear(2, 3)])
    model[1].weight = model[0].weight
    model[0].bias = nn.Parameter(torch.arange(6.0)[::2])
    save_weights(model, tmp_path / "tied.safetensors")
    state = read_weights(tmp_path / "tied.safetensors").state
    assert torch.equal(state["0.weight"], state["1.weight"])
    assert state["0.bias"].tolist() == [0, 2, 4]


def test_units_that_differ_are_not_saved(tmp_path):
    model = nn.Sequential(GloreUnit1d(4), GloreUnit1d(4, normalize=False))
    with pytest.raises(ValueError, match="some GloRe units of the network normalise and some"):
        save_weights(model, tmp_path / "weights.pyth")


@pytest.mark.parametrize(
    ("config", "normalize"),
    [
        ({"GLORE": {"NORMALIZE": False}}, False),
        ({"GLORE": {"NORMALIZE": True}}, True),
        ({"GLORE": {}}, None),
        ("text", None),
    ],
)
def test_normalize_in_the_config_of_a_run(config, normalize):
    content = {"model_state": network().state_dict(), "config": config}
    assert read_weights(content).normalize is normalize


def test_files_from_before_zip_archives(tmp_path):
    path = tmp_path / "old.pkl"
    content = {"epoch": 0, "state_dict": network().state_dict()}
    torch.save(content, path, _use_new_zipfile_serialization=False)
    assert set(read_weights(path).state) == set(network().state_dict())


def test_caffe2_is_told_by_content(tmp_path):
    path = tmp_path / "renamed.pyth"
    path.write_bytes(pickle.dumps({"blobs": {"pred_b": np.ones(2)}}, protocol=2))
    stored = read_weights(path)
    assert stored.caffe2
    assert stored.state["pred_b"].tolist() == [1, 1]


class Evil:
    def __reduce__(self):
        return os.mkdir, ("made",)


def test_files_that_run_code_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"model_state": {"a": torch.zeros(1)}, "extra": Evil()}, "zip.pth")
    torch.save(Evil(), "old.pth", _use_new_zipfile_serialization=False)
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(Evil()))
    for name in ("zip.pth", "old.pth", "plain.pkl"):
        with pytest.raises(ValueError, match=rf"{name} is refused: .* would run \w+\.mkdir$"):
            read_weights(name)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "content",
    [
        *(
            b"some notes\n",
            b"a note",
            b"{}",
            b"<html></html>",
            b"0\n",
            b"N.",
            b"]q",
            b"\xff\xd8\xff",
        ),
        *(b"PK\x03\x04 not a whole archive", b"\x80\x04\x95", b"(lp0\n.", b"X"),
    ],
)
def test_files_of_another_kind_are_said_to_be_none_and_never_to_be_trusted(tmp_path, content):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"weights\.pth is not a checkpoint") as refused:
        read_weights(path)
    with pytest.raises(ValueError, match=r"weights\.pth: not a (readable )?checkpoint") as unread:
        read_checkpoint(path)
    for error in (refused, unread):
        assert "weights_only" not in str(error.value)
        assert "\n" not in str(error.value)


def test_broken_safetensors(tmp_path):
    pytest.importorskip("safetensors")
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"no header")
    with pytest.raises(ValueError, match=r"weights\.safetensors is not a safetensors file"):
        read_weights(path)


def test_archives_are_named(tmp_path):
    (tmp_path / "C2D.pkl").write_bytes(b"\x1f\x8b\x08\x00")
    with pytest.raises(ValueError, match=r"C2D\.pkl is a gzip archive; unpack it"):
        read_weights(tmp_path / "C2D.pkl")


@pytest.mark.parametrize("suffix", ["pth", "pyth", "pkl"])
def test_an_empty_file_is_called_empty(tmp_path, suffix):
    path = tmp_path / f"weights.{suffix}"
    path.touch()
    with pytest.raises(ValueError, match=r"weights\.\w+ is .* it is empty or cut off$"):
        read_weights(path)
