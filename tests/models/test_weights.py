import pytest
import torch
from torch import nn

from glore_video.models.insertion import insert_glore, insert_nonlocal
from glore_video.models.tiny3d import TinyResNet3d
from glore_video.models.weights import head_path, load_weights


def tiny(num_classes: int = 3, *, seed: int = 0, after: tuple[str, ...] = ()) -> TinyResNet3d:
    torch.manual_seed(seed)
    model = insert_glore(TinyResNet3d(num_classes, widths=(4, 8, 8)), after=after)
    for p in model.parameters():
        nn.init.normal_(p)
    return model


def same(a: nn.Module, b: nn.Module, *, but: str = "nothing") -> bool:
    other = b.state_dict()
    return all(torch.equal(v, other[k]) for k, v in a.state_dict().items() if but not in k)


@pytest.mark.parametrize("container", ["model_state", "state_dict", None])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod."])
def test_whole_checkpoints(tmp_path, container, prefix):
    source, model = tiny(seed=1), tiny(seed=2)
    state = {prefix + k: v for k, v in source.state_dict().items()}
    path = tmp_path / "weights.pyth"
    torch.save({container: state, "epoch": 3} if container else state, path)
    report = load_weights(model, path)
    assert same(model, source)
    assert report.loaded == list(model.state_dict())
    assert not report.newly_initialised
    assert not report.unexpected


def test_head_for_other_classes():
    source, model = tiny(3, seed=1), tiny(5, seed=2)
    head = model.classifier.weight.clone()
    with pytest.raises(
        ValueError,
        match=r"classifier.weight is \(3, 8\), needs \(5, 8\).*allow=\['head'\] would accept",
    ):
        load_weights(model, source.state_dict())
    assert same(model, tiny(5, seed=2)), "a refused load changed the model"
    report = load_weights(model, source.state_dict(), allow=("head",))
    assert same(model, source, but="classifier")
    assert torch.equal(model.classifier.weight, head)
    assert report.newly_initialised == ["classifier.weight", "classifier.bias"]
    assert report.mismatched == {
        "classifier.weight": ((3, 8), (5, 8)),
        "classifier.bias": ((3,), (5,)),
    }


def test_units_missing_from_the_file_become_the_identity_and_no_others():
    source = tiny(seed=1, after=("stage1.0",))
    model = tiny(seed=2, after=("stage1.0", "stage2.0"))
    insert_nonlocal(model, after=["stage1.1"])
    nn.init.ones_(model.stage1[1].nonlocal_block.norm.weight)
    with pytest.raises(ValueError, match=r"missing: stage1.1.nonlocal_block.* \(2\d in all\)"):
        load_weights(model, source.state_dict(), allow=("head",))
    report = load_weights(model, source.state_dict(), allow=("units",))
    assert torch.equal(model.stage1[0].glore.blocker.weight, source.stage1[0].glore.blocker.weight)
    assert model.stage2[0].glore.blocker.weight.abs().max() == 0
    assert model.stage1[1].nonlocal_block.norm.weight.abs().max() == 0
    groups = {
        k.rpartition("glore.")[0] or k.partition("nonlocal")[0] for k in report.newly_initialised
    }
    assert groups == {"stage1.1.", "stage2.0."}
    clip = torch.randn(1, 3, 2, 16, 16)
    assert torch.equal(model.eval()(clip), source.eval()(clip))


def test_units_only_in_the_file():
    source, model = tiny(seed=1, after=("stage2.0",)), tiny(seed=2)
    with pytest.raises(ValueError, match=r"unexpected: stage2\.0\.glore\.conv_state"):
        load_weights(model, source.state_dict())
    report = load_weights(model, source.state_dict(), allow=("units",))
    assert same(model, source)
    assert all(k.startswith("stage2.0.glore.") for k in report.unexpected)


def test_keys_outside_the_allowed_groups_stay_strict():
    model = tiny(seed=2)
    state = tiny(seed=1).state_dict()
    del state["stage1.0.conv1.weight"]
    state["stem.9.weight"] = torch.zeros(1)
    with pytest.raises(
        ValueError, match=r"missing: stage1\.0\.conv1\.weight; unexpected: stem\.9\.weight$"
    ):
        load_weights(model, state, allow=("head", "units"))


def test_files_without_batch_counts():
    source, model = tiny(seed=1), tiny(seed=2)
    state = {k: v for k, v in source.state_dict().items() if "num_batches" not in k}
    assert not load_weights(model, state).newly_initialised
    assert same(model, source)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no checkpoint", "is not a checkpoint that torch.load can read"),
        (b"", "is not a checkpoint that torch.load can read"),
        ({"epoch": 3}, "is not a checkpoint: it needs a state dict"),
        ({}, "is not a checkpoint: it needs a state dict"),
        ({"a": torch.zeros(2)}, "nothing in .*weights.pth matches the network: it has a,"),
        (nn.Linear(2, 2), "is not a checkpoint that torch.load can read"),
    ],
)
def test_files_that_are_no_weights(tmp_path, content, message):
    path = tmp_path / "weights.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(ValueError, match=message):
        load_weights(tiny(), path)


def test_missing_file_and_unknown_group():
    with pytest.raises(FileNotFoundError, match=r"no weights file nowhere\.pth"):
        load_weights(tiny(), "nowhere.pth")
    with pytest.raises(ValueError, match=r"sequence of head, units, got \('heads',\)"):
        load_weights(tiny(), tiny().state_dict(), allow=("heads",))


def test_report_reads_as_a_table():
    report = load_weights(tiny(5), tiny(3).state_dict(), allow=("head",))
    assert str(report).splitlines()[1:] == [
        "newly initialised             2  classifier.weight, classifier.bias",
        "of these in another shape     2  classifier.weight, classifier.bias",
        "unexpected, left out          0  ",
    ]


def test_head_path():
    assert head_path(tiny()) == "classifier"
    assert head_path(nn.Conv1d(1, 1, 1)) is None
