"""Keys that say how a device computes: order in memory, float32 products, cuDNN's trials."""

import pytest
import torch
from run_files import flat

from glore_video.config import changes, load_config
from glore_video.engine.launch.processes import Process
from glore_video.errors import UsageError
from glore_video.prediction import load_predictor
from glore_video.runs import run
from glore_video.runs.network import build_model, build_precision
from glore_video.tasks import task_of
from glore_video.tasks.score_keys import changes_scores

PLAIN, LAST_2D, LAST_3D = torch.contiguous_format, torch.channels_last, torch.channels_last_3d
HALF = {"TRAIN.MIXED_PRECISION": True}
PICTURES = {"TASK": "image_classification", "MODEL.ARCH": "tiny2d"}


def config_of(values):
    return load_config(pairs=flat({"MODEL.ARCH": "tiny"} | values))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"NUM_GPUS": 1}, PLAIN),
        ({"NUM_GPUS": 1} | HALF, LAST_3D),
        ({"NUM_GPUS": 8, "TRAIN.AMP_DTYPE": "fp16"} | HALF, LAST_3D),
        ({"NUM_GPUS": 0} | HALF, PLAIN),
        ({"NUM_GPUS": 1, "MODEL.CHANNELS_LAST": False} | HALF, PLAIN),
        ({"NUM_GPUS": 0, "MODEL.CHANNELS_LAST": True}, LAST_3D),
        ({"NUM_GPUS": 2} | HALF | PICTURES, LAST_2D),
        ({"NUM_GPUS": 2} | PICTURES, PLAIN),
    ],
)
def test_order_in_memory_of_network_and_inputs(values, expected):
    config = config_of(values)
    task = task_of(config)
    assert task.memory_format == task.normalize.memory_format == expected
    filters = [p for p in build_model(config).parameters() if p.ndim > 3 and p[0, 0].numel() > 1]
    assert all(each.is_contiguous(memory_format=expected) for each in filters)
    assert filters


@pytest.mark.parametrize("value", ["sometimes", "2", "null", "[True]"])
def test_other_words(value):
    with pytest.raises(UsageError, match=r"^MODEL.CHANNELS_LAST = .*: True, False or auto is exp"):
        load_config(pairs=["MODEL.CHANNELS_LAST", value])


@pytest.mark.parametrize("value", ["0", "1"])
def test_numbers_are_truth_values_as_ever(value):
    assert load_config(pairs=["MODEL.CHANNELS_LAST", value]).MODEL.CHANNELS_LAST is bool(int(value))


def test_a_run_of_an_earlier_version_goes_on():
    before = load_config().model_dump(mode="json")
    before["MODEL"]["CHANNELS_LAST"] = False
    (change,) = changes(before, load_config())
    assert (change.key, change.binding) == ("MODEL.CHANNELS_LAST", False)


def test_a_network_that_was_trained_on_gpus_predicts_on_a_cpu(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(
        "NUM_GPUS: 8\nMODEL: {ARCH: tiny, NUM_CLASSES: 2}\nTRAIN: {MIXED_PRECISION: True}\n"
    )
    predictor = load_predictor(cfg=path, untrained=True, device="cpu")
    assert predictor.normalize.memory_format == PLAIN
    assert not predictor.precision.cudnn_benchmark


@pytest.fixture
def switches():
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    yield
    torch.set_float32_matmul_precision(before[0])
    torch.backends.cudnn.allow_tf32 = before[1]


@pytest.mark.usefixtures("switches")
@pytest.mark.parametrize("precision", ["highest", "high"])
def test_a_run_and_a_predictor_compute_float32_products_alike(precision, monkeypatch, tmp_path):
    class BegunError(Exception):
        pass

    def begun(config):
        raise BegunError

    monkeypatch.setattr(run, "task_of", begun)
    other = {"high": "highest", "highest": "high"}[precision]
    config = config_of({"TRAIN.FP32_PRECISION": precision})
    torch.set_float32_matmul_precision(other)
    with pytest.raises(BegunError):
        run.train_and_test(config, Process(0, 1, torch.device("cpu")))
    assert torch.get_float32_matmul_precision() == precision

    torch.set_float32_matmul_precision(other)
    path = tmp_path / "run.yaml"
    path.write_text(
        f"MODEL: {{ARCH: tiny, NUM_CLASSES: 2}}\nTRAIN: {{FP32_PRECISION: {precision}}}\n"
    )
    load_predictor(cfg=path, untrained=True)
    assert torch.get_float32_matmul_precision() == precision


def test_trials_of_a_run():
    gpu = torch.device("cuda", 0)
    assert build_precision(config_of({}), gpu).cudnn_benchmark
    assert not build_precision(config_of({"CUDNN_BENCHMARK": False}), gpu).cudnn_benchmark


def test_what_a_killed_test_must_agree_in():
    """TF32 rounds as half precision does; the algorithms of cuDNN only add up in another order."""
    assert changes_scores("TRAIN.FP32_PRECISION")
    assert not changes_scores("CUDNN_BENCHMARK")
