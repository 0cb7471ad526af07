import copy

import pytest
import torch
from torch import nn

from glore_video.models.networks.insertion import insert_glore, insert_nonlocal
from glore_video.models.networks.preact_blocks import PreactBottleneck
from glore_video.models.networks.tiny import TinyResNet3d
from glore_video.models.weights.files import save_weights
from glore_video.models.weights.loading import load_weights


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


@pytest.mark.parametrize("prefix", ["module.", "model.", "model.module.", "module._orig_mod."])
@pytest.mark.parametrize("other", ["n_averaged", "criterion.weight", "metric.module.total"])
def test_what_a_wrapper_holds_beside_the_network_is_left_out(prefix, other):
    source, model = tiny(seed=1), tiny(seed=2)
    state = {other: torch.ones(3)} | {prefix + k: v for k, v in source.state_dict().items()}
    report = load_weights(model, state)
    assert same(model, source)
    assert report.beside == [other]
    assert not report.unexpected
    assert f"beside the network, left out: {other}" in str(report)


def test_an_averaged_model_is_loaded():
    source, model = tiny(seed=1), tiny(seed=2)
    load_weights(model, torch.optim.swa_utils.AveragedModel(source).state_dict())
    assert same(model, source)


def test_blocks_that_were_compiled_by_themselves_are_loaded():
    source, model = tiny(seed=1), tiny(seed=2)
    compiled = copy.deepcopy(source)
    compiled.stage1[0] = torch.compile(compiled.stage1[0])
    assert "stage1.0._orig_mod.conv1.weight" in compiled.state_dict()
    load_weights(model, compiled.state_dict())
    assert same(model, source)
    load_weights(compiled, compiled.state_dict())


def test_a_prefix_of_the_network_itself_stays():
    class Wrapped(nn.Module):
        def __init__(self, seed):
            super().__init__()
            torch.manual_seed(seed)
            self.model = tiny(seed=seed)
            self.classifier = nn.Linear(2, 2)

    source, model = Wrapped(1), Wrapped(2)
    report = load_weights(model, source.state_dict())
    assert same(model, source)
    assert report.beside == []
    backbone = {k: v for k, v in source.state_dict().items() if not k.startswith("classifier")}
    assert not load_weights(Wrapped(3), backbone, allow=["head"]).beside


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
        (nn.Linear(2, 2), r"is refused: it holds more .* would run torch\.nn\.modules\.linear"),
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
    source, model = tiny(3, after=("stage2.0",)), tiny(5, after=("stage1.0",))
    report = load_weights(model, source.state_dict(), allow=("head", "units"))
    backbone = len(TinyResNet3d(3, widths=(4, 8, 8)).state_dict()) - 2
    unit = len(model.stage1[0].glore.state_dict())
    assert [line.split("  ")[0] for line in str(report).splitlines()] == [
        "the given state dict (this package or pytorchvideo)",
        "parameters",
        "loaded",
        "newly initialised",
        "",
        "unexpected, left out",
    ]
    counts = [line[28:58].split() for line in str(report).splitlines()[1:]]
    assert counts == [
        ["backbone", "head", "units"],
        [str(backbone), "0", "0"],
        ["0", "2", str(unit - 1)],  # a batch count is not asked for
        ["0", "2", "0"],
        ["0", "0", str(unit)],
    ]
    assert str(report).splitlines()[-1].endswith(f"conv_proj.weight, ... ({unit} in all)")


def official(model: nn.Module) -> dict:
    """A checkpoint as the GloRe repository writes it; the unit after conv2.B01."""
    state = {k.replace("B01.glore.", "B01_extra."): v for k, v in model.state_dict().items()}
    return {"epoch": 0, "state_dict": {f"module.{k}": v for k, v in state.items()}}


def preact_part(*, normalize: bool, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    block = PreactBottleneck(4, 2, 8, temporal_kernel=1, stride=(1, 1, 1), project=True)
    model = nn.ModuleDict({"conv2": nn.ModuleDict({"B01": block})})
    insert_glore(model, after=["conv2.B01"], normalize=normalize)
    for p in model.parameters():
        nn.init.normal_(p)
    return model


def test_units_of_the_glore_repository_are_not_normalised():
    source = preact_part(normalize=False, seed=1)
    model = preact_part(normalize=True, seed=2)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    with pytest.raises(
        ValueError, match=r"do not divide by the number of positions, unlike conv2\.B01\.glore"
    ):
        load_weights(model, official(source))
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    model = preact_part(normalize=False, seed=2)
    report = load_weights(model, official(source))
    assert report.format == "GloRe repository"
    assert same(model, source)


@pytest.mark.parametrize("trained", [True, False])
def test_saved_units_keep_their_meaning(tmp_path, trained):
    source = preact_part(normalize=trained, seed=1)
    save_weights(source, tmp_path / "weights.pyth")
    load_weights(preact_part(normalize=trained, seed=2), tmp_path / "weights.pyth")
    with pytest.raises(ValueError, match=f"build the network with normalize={trained}"):
        load_weights(preact_part(normalize=not trained, seed=2), tmp_path / "weights.pyth")


def test_the_file_says_nothing_about_new_units(tmp_path):
    source, model = tiny(seed=1), tiny(seed=2, after=("stage2.0",))
    content = {"model_state": source.state_dict(), "config": {"GLORE": {"NORMALIZE": False}}}
    load_weights(model, content, allow=["units"])
    assert model.stage2[0].glore.normalize


def test_2d_kernels_are_inflated():
    model = tiny(seed=1)
    state = {k: v.clone() for k, v in model.state_dict().items()}
    state |= {k: v[:, :, 0] for k, v in state.items() if v.dim() == 5}
    report = load_weights(model, state)
    assert report.inflated == [k for k, v in model.state_dict().items() if v.dim() == 5]
    kernel = model.stem[0].weight
    assert torch.equal(kernel[:, :, 1], state["stem.0.weight"] / 3)
    assert "  of these inflated from 2D " in str(report)


def test_urls():
    with pytest.raises(FileNotFoundError, match=r"no weights file .nowhere/w\.pth"):
        load_weights(tiny(), "file:///nowhere/w.pth")
