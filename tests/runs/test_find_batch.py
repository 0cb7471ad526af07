"""train --find-batch: what is tried, what is said, what is left behind."""

import os
import sys

import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend

from glore_video.cli import test as testing_verb
from glore_video.cli.train import main
from glore_video.config import load_config
from glore_video.engine.compiling import Compiling
from glore_video.engine.launch.processes import Process
from glore_video.engine.train_step import TrainStep
from glore_video.errors import UsageError
from glore_video.runs import batch_finding, network, trial_steps
from glore_video.runs.batch_finding import Limit, find_batch
from glore_video.runs.trial_steps import TrialSteps, smallest_batch

CPU = Process(0, 1, torch.device("cpu"))
CLIPS = [
    *("MODEL.ARCH", "tiny", "MODEL.NUM_CLASSES", "3", "GLORE.LOCATION", "[[[0]]]", "NUM_GPUS", "0"),
    *("DATA.NUM_FRAMES", "2", "DATA.TRAIN_JITTER_SCALES", "[32, 36]", "DATA.TRAIN_CROP_SIZE", "32"),
    *("DATA.TEST_CROP_SIZE", "32", "DATA_LOADER.NUM_WORKERS", "0"),
]
GIB = 2**30


@pytest.fixture
def config(tmp_path):
    def load(*pairs):
        (tmp_path / "clips.yaml").write_text("OUTPUT_DIR: nowhere\n")
        return load_config(str(tmp_path / "clips.yaml"), [*CLIPS, *pairs])

    return load


class FakeMeter:
    """A GPU whose steps need as much as they are said to."""

    def __init__(self, each=GIB, fixed=2 * GIB):
        self.each, self.fixed, self.inputs = each, fixed, 0

    def start(self):
        self.inputs = 0

    def most(self):
        return self.fixed + self.inputs * self.each


@pytest.fixture
def gpu(monkeypatch):
    """A GPU of 16 GiB, and steps that ask it for what they need and do nothing else."""
    meter = FakeMeter()

    def step(self, inputs, targets, generator):
        meter.inputs = max(meter.inputs, len(inputs))
        if meter.most() > 16 * GIB:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(TrainStep, "__call__", step)
    monkeypatch.setattr(trial_steps.gc, "collect", lambda: 0)  # a fifth of a second an attempt
    return meter


def suggested(config, meter, *, room=16 * GIB, limit=100, words=("train", "--cfg", "x")):
    said = []
    steps = TrialSteps(config, CPU, meter)
    found = batch_finding._measured(
        config, steps, limit=Limit(limit, "there are few"), room=room, say=said.append
    )
    return found, [*said, batch_finding._suggestion(config, found, words)]


def test_each_attempt_has_a_line_and_the_command_is_said(config, gpu):
    found, said = suggested(config("TRAIN.BATCH_SIZE", "64"), gpu)
    assert found.batch == 12  # 14 GiB of 92% of 16
    assert said == [
        "     2 videos: 4.00 GiB",
        "     4 videos: 6.00 GiB",
        "     8 videos: 10.00 GiB",
        "    16 videos: more than there is",
        "    12 videos: 14.00 GiB",
        "    14 videos: 16.00 GiB",
        "    13 videos: 15.00 GiB",
        "12 videos a process fit with 8% of the memory left\n"
        "SOLVER.BASE_LR 0.1 is for TRAIN.BATCH_SIZE 64: SOLVER.BASE_LR_BATCH 64 multiplies it by 0.1875\n"
        "  train --cfg x TRAIN.BATCH_SIZE 12 SOLVER.BASE_LR_BATCH 64",
    ]


def test_nothing_of_an_attempt_is_kept(config, monkeypatch):
    """Neither of one that fits nor of one that fails in the optimiser, with gradients there."""
    meter = FakeMeter()
    steps = TrialSteps(config(), CPU, meter)
    assert steps(2) == meter.fixed
    assert all(p.grad is None for p in steps.train_step.model.parameters())

    def fail(*args):
        assert all(p.grad is not None for p in steps.train_step.model.parameters())
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with monkeypatch.context() as patch:
        patch.setattr(TrainStep, "_step", fail)
        assert steps(2) is None
    assert all(p.grad is None for p in steps.train_step.model.parameters())
    assert steps(2) == meter.fixed


def test_several_gpus_share_the_batch_and_hold_gradients_twice(config, gpu, monkeypatch):
    monkeypatch.setattr(batch_finding, "_gradients", lambda config: 3 * GIB)
    several = config("NUM_GPUS", "4", "SOLVER.BASE_LR_BATCH", "64", "TRAIN.BATCH_SIZE", "64")
    words = ["train", "--cfg", "x", "TRAIN.BATCH_SIZE", "64", "OUTPUT_DIR", "a b"]
    found, said = suggested(several, gpu, words=words)
    assert found.batch == 9
    assert said[-1].splitlines()[1:] == [
        "TRAIN.BATCH_SIZE is over all: 9 x NUM_GPUS 4 = 36",
        "learning rates follow the batch: SOLVER.BASE_LR 0.1 is for SOLVER.BASE_LR_BATCH 64",
        "  train --cfg x OUTPUT_DIR 'a b' TRAIN.BATCH_SIZE 36",
    ]


def test_all_samples_at_once(config, gpu):
    found, said = suggested(config(), gpu, limit=7)
    assert found.batch == 7
    assert said[-1].startswith("7 videos a process fit with 8% of the memory left; there are few\n")


def test_parts_must_come_out_even(config, gpu):
    parts = ("TRAIN.ACCUMULATION_STEPS", "2", "BN.NORM_TYPE", "sub_batchnorm", "BN.NUM_SPLITS", "3")
    assert smallest_batch(config(*parts)) == 6
    assert smallest_batch(config(*parts, "AUG.NUM_SAMPLE", "4")) == 3
    found, said = suggested(config(*parts), gpu)
    assert found.batch == 12
    assert said[0] == "    12 videos: 14.00 GiB"


def test_not_even_one_fits(config, gpu):
    gpu.fixed = 20 * GIB
    with pytest.raises(
        UsageError,
        match=r"^not even 1 video a process fit into 14.7 GiB \(92% of what is free\): MODEL.ACT_CHECKPOINT "
        r"True, less of DATA.NUM_FRAMES, DATA.TRAIN_CROP_SIZE take less$",
    ):
        suggested(config(), gpu)


def test_other_errors_of_a_step_pass(config, monkeypatch):
    def fail(*args):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(TrainStep, "__call__", fail)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        suggested(config(), FakeMeter())


@pytest.mark.parametrize(
    "pairs",
    [
        (
            "TRAIN.EMA_DECAY",
            "0.99",
            "TRAIN.ACCUMULATION_STEPS",
            "2",
            "SOLVER.OPTIMIZING_METHOD",
            "adamw",
        ),
        ("AUG.NUM_SAMPLE", "2", "MIXUP.ENABLE", "True", "MODEL.FROZEN_BN", "True"),
        (
            "TRAIN.MIXED_PRECISION",
            "True",
            "DATA.NUM_FRAMES",
            "4",
            "MODEL.ACT_CHECKPOINT",
            "True",
            "MODEL.CHANNELS_LAST",
            "True",
        ),
    ],
    ids=["average in parts", "mixed", "half and checkpointed"],
)
def test_steps_are_those_of_the_configuration(config, pairs):
    """They run at all: real ones, of inputs and targets of the run's shapes."""
    meter = FakeMeter()
    steps = TrialSteps(config(*pairs), CPU, meter)
    assert steps(2) == meter.fixed
    assert steps.train_step.times.steps == 2


@pytest.mark.slow
def test_compiled_networks_are_compiled_for_each_batch(config, monkeypatch):
    counter = CompileCounterWithBackend("eager")
    monkeypatch.setattr(network, "Compiling", lambda *a, **k: Compiling(*a, backend=counter, **k))
    steps = TrialSteps(config("MODEL.COMPILE", "all"), CPU, FakeMeter())
    for number, batch in enumerate((2, 4), start=1):
        steps(batch)
        assert counter.frame_count == number
        assert steps.train_step.times.steps == 3 * number
    torch._dynamo.reset()


def test_steps_of_scenes(tmp_path):
    (tmp_path / "scenes.yaml").write_text(
        "TASK: segmentation\nMODEL: {NAME: timm/resnet18, NUM_CLASSES: 4}\nNUM_GPUS: 0\n"
        "DATA: {TRAIN_CROP_SIZE: 64, TRAIN_CROP_HEIGHT: 32}\nLOSS: {OHEM_THRESHOLD: 0.7}\n"
    )
    steps = TrialSteps(load_config(str(tmp_path / "scenes.yaml")), CPU, FakeMeter())
    assert steps(2) is not None


def on_cpu(config, monkeypatch, *, free, each, fixed=GIB):
    """What is found on a machine whose steps need as much as they are said to."""
    tried = []

    class Meter(FakeMeter):
        def now(self):
            return GIB // 2

    class Steps:
        def __init__(self, *args):
            pass

        def __call__(self, batch):
            tried.append(batch)
            return fixed + batch * each

    monkeypatch.setattr(batch_finding, "CpuMeter", Meter)
    monkeypatch.setattr(batch_finding, "TrialSteps", Steps)
    monkeypatch.setattr(batch_finding, "available_memory", lambda: free)
    monkeypatch.setattr(batch_finding, "_limit", lambda config: Limit(10_000, "no more"))
    said = []
    find_batch(config, CPU, words=["train"], say=said.append)
    return tried, said


def test_on_a_cpu_two_small_batches_tell_of_large_ones(config, monkeypatch):
    each = GIB // 64
    (small, large), said = on_cpu(
        config("CPU_PROCESSES", "2"), monkeypatch, free=8 * GIB, each=each
    )
    assert large == 2 * small
    # Half of 92% of what is free, and what the process has already, for each of two.
    room = GIB // 2 + int(0.92 * 8 * GIB) // 2
    best = (room - GIB) // each
    assert said[0] == "an estimate of the largest batch for 8.0 GiB of free memory, of 2 processes"
    number = int(said[-1].split()[0])
    assert best - best // 32 <= number <= best
    assert "should fit with 8% of the memory left, an estimate" in said[-1]
    assert f"{number} x CPU_PROCESSES 2 = {2 * number}" in said[-1]
    assert f"TRAIN.BATCH_SIZE {2 * number}" in said[-1]


def test_on_a_cpu_nothing_is_tried_that_might_not_fit(config, monkeypatch):
    monkeypatch.setattr(batch_finding, "_computed", lambda config: (GIB, GIB))
    tried, said = on_cpu(config(), monkeypatch, free=7 * GIB, each=GIB)
    assert tried == []
    assert said[1] == "computed, not measured, which could take more memory than is free"
    # 0.5 + 1.5 * (1 + 3) GiB of 0.5 + 0.92 * 7, and no fourth one.
    assert said[-1].startswith(
        "3 videos a process should fit with 8% of the memory left, an estimate\n"
    )
    with pytest.raises(
        UsageError, match="not even 1 video a process fit into the 92% of free memory"
    ):
        on_cpu(config(), monkeypatch, free=2 * GIB, each=GIB)


def test_a_system_that_does_not_tell(config, monkeypatch):
    with pytest.raises(UsageError, match="does not tell how much memory is free"):
        on_cpu(config(), monkeypatch, free=None, each=GIB)


def test_the_limit_is_what_there_is_to_train_on(config, videos, monkeypatch):
    data = ("DATA.PATH_TO_DATA_DIR", str(videos), "CPU_PROCESSES", "2")
    assert batch_finding._limit(config(*data)) == Limit(4, "there are 8 videos to train on")
    missing = batch_finding._limit(config("DATA.PATH_TO_DATA_DIR", str(videos / "nowhere")))
    assert missing.why == "more were not tried"


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not tell of its memory")
def test_the_command(config, tmp_path, monkeypatch, capsys):
    config()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(batch_finding, "_WORTH_MEASURING", 2**20)
    assert main(["--cfg", "clips.yaml", *CLIPS, "MODEL.NUM_CLASSES", "0", "--find-batch"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("an estimate of the largest batch for ")
    assert [line.split()[1] for line in out[1:3]] == ["videos:", "videos:"]
    assert " train --cfg clips.yaml MODEL.ARCH tiny " in out[-1]
    assert "find-batch" not in out[-1]
    assert os.listdir(tmp_path) == ["clips.yaml"]


@pytest.mark.parametrize(
    ("words", "environment", "said"),
    [
        (["--dry-run"], {}, "--dry-run and --find-batch exclude each other"),
        (
            ["NUM_GPUS", "2"],
            {"RANK": "0", "WORLD_SIZE": "2"},
            r"--find-batch is one process: start it without torchrun",
        ),
        (["NUM_GPUS", "97"], {}, "NUM_GPUS = 97, but torch sees "),
    ],
    ids=["dry run", "torchrun", "GPUs that are not there"],
)
def test_what_does_not_go_is_one_line(
    config, tmp_path, monkeypatch, capsys, words, environment, said
):
    config()
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    try:
        status = main(["--cfg", str(tmp_path / "clips.yaml"), *CLIPS, *words, "--find-batch"])
    except SystemExit as end:
        status = end.code
    assert status == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_it_is_a_flag_of_training_alone(capsys):
    with pytest.raises(SystemExit, match="2"):
        testing_verb.main(["--cfg", "quickstart", "--find-batch"])
    assert "--find-batch" in capsys.readouterr().err
