"""MODEL.PRETRAINED: a backbone for segmentation starts from a classifier's published weights."""

import pytest
import torch
from run_files import flat, one_error_line, weights_of

from glore_video.cli.main import main
from glore_video.errors import UsageError
from glore_video.models import create_model

timm = pytest.importorskip("timm", reason="timm is an extra")
constants = pytest.importorskip("huggingface_hub.constants", reason="timm fetches by it")
safetensors = pytest.importorskip("safetensors.torch", reason="weights are published so")

REVISION = "0" * 40
# timm 1.0.3 takes no huggingface_hub of version 1 or newer.
HUB = pytest.mark.skipif(
    not timm.models._hub.has_hf_hub(), reason="this timm can't use this huggingface_hub"
)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty folder of what the hub has sent, and no network."""
    folder = tmp_path / "hub"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return folder


@pytest.fixture
def published(cache):
    """The weights of timm's resnet18.tv_in1k, as they lie in the cache once fetched."""
    torch.manual_seed(5)
    classifier = timm.create_model("resnet18")
    repository = cache / "models--timm--resnet18.tv_in1k"
    snapshot = repository / "snapshots" / REVISION
    for path in (snapshot, repository / "refs"):
        path.mkdir(parents=True)
    (repository / "refs" / "main").write_text(REVISION)
    safetensors.save_file(classifier.state_dict(), snapshot / "model.safetensors")
    return classifier.state_dict()


@pytest.fixture
def keys(options):
    """Of a run that changes no weight."""
    del options["MODEL.ARCH"]
    return options | {
        "MODEL.NAME": "timm/resnet18.tv_in1k",
        "MODEL.PRETRAINED": True,
        "MODEL.FROZEN_BN": True,
        "SOLVER.MAX_EPOCH": 1,
        "SOLVER.BASE_LR": 0,
        "TEST.ENABLE": False,
    }


@HUB
@pytest.mark.parametrize(
    "form", [{"HEAD.FORM": "glore"}, {"HEAD.FORM": "fcn", "HEAD.AUXILIARY": True}]
)
def test_the_backbone_is_what_was_published(cfg, keys, published, form):
    assert main([*cfg, *flat(keys | form)]) == 0
    learnt = weights_of(keys["OUTPUT_DIR"], 1)
    backbone = {k: v for k, v in learnt.items() if k.startswith("backbone.")}
    assert backbone.keys() == {f"backbone.{k}" for k in published if not k.startswith("fc.")}
    for key, tensor in backbone.items():
        torch.testing.assert_close(tensor, published[key.removeprefix("backbone.")], rtol=0, atol=0)
    log = (keys["OUTPUT_DIR"] / "log.txt").read_text()
    assert "starting from published weights" in log


@HUB
def test_without_a_network_it_is_one_line(cfg, keys, cache, capsys):
    assert main([*cfg, *flat(keys)]) == 2
    line = one_error_line(capsys)
    assert "MODEL.PRETRAINED = True, MODEL.NAME = timm/resnet18.tv_in1k" in line
    assert "can't be downloaded" in line
    assert not (keys["OUTPUT_DIR"] / "checkpoints").exists()


def test_a_hub_that_timm_cannot_use_is_said(monkeypatch, cfg, keys, capsys):
    monkeypatch.setattr(timm.models._hub, "_has_hf_hub", False)
    with pytest.raises(UsageError, match=r"timm/resnet18\.tv_in1k: .* huggingface_hub"):
        create_model("timm/resnet18.tv_in1k", pretrained=True)
    assert main([*cfg, *flat(keys)]) == 2
    assert "can't fetch weights with the huggingface_hub" in one_error_line(capsys)
