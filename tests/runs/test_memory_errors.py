"""Too little memory is one line that says what needs less."""

import pytest
import torch

from glore_video.cli.train import main
from glore_video.config import load_config
from glore_video.engine.launch.processes import Process
from glore_video.engine.tester import evaluate
from glore_video.engine.train_step import TrainStep
from glore_video.errors import UsageError
from glore_video.runs import testing
from glore_video.runs.memory_errors import memory_of_test_in_keys, memory_of_training_in_keys

OF_A_GPU = torch.OutOfMemoryError(
    "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 79.11 GiB of which "
    "1.10 GiB is free. Including non-PyTorch memory, this process has 78.00 GiB memory in use."
)
OF_THE_MACHINE = RuntimeError(
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried "
    "to allocate 4294967296 bytes. Error code 12 (Cannot allocate memory)"
)
OF_CUBLAS = RuntimeError(
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"
)


def words(options, **more):
    return [str(word) for pair in {**options, **more}.items() for word in pair]


def raises(error):
    def fail(*args, **kwargs):
        raise error

    return fail


@pytest.mark.parametrize(
    ("pairs", "error", "line"),
    [
        (
            ["TRAIN.BATCH_SIZE", "64"],
            OF_A_GPU,
            "out of memory on cuda (2.50 GiB of 79.11 GiB more) in forward and backward with "
            "TRAIN.BATCH_SIZE = 64 over 8 processes: a smaller one, "
            "TRAIN.ACCUMULATION_STEPS 2, MODEL.ACT_CHECKPOINT True or TRAIN.MIXED_PRECISION True "
            "takes less; train --find-batch says which batch fits",
        ),
        (
            ["MODEL.ACT_CHECKPOINT", "True", "TRAIN.MIXED_PRECISION", "True"],
            OF_CUBLAS,
            "out of memory on cuda in forward and backward with TRAIN.BATCH_SIZE = 64 over 8 "
            "processes: a smaller one or TRAIN.ACCUMULATION_STEPS 2 takes less; train "
            "--find-batch says which batch fits",
        ),
    ],
    ids=["allocator", "library"],
)
def test_in_training_on_gpus(pairs, error, line):
    config = load_config("k400_glore_r50", pairs)
    process = Process(0, 8, torch.device("cuda"))
    process.doing("forward and backward")
    with pytest.raises(UsageError) as told, memory_of_training_in_keys(config, process):
        raise error
    assert str(told.value) == line
    assert told.value.__cause__ is error


def test_in_a_test_of_scenes_windows_help():
    config = load_config("cityscapes_glore_r50")
    process = Process(0, 1, torch.device("cuda"))
    process.doing("testing")
    with (
        pytest.raises(
            UsageError, match=r"in testing with TEST.BATCH_SIZE = 4: .*TEST.WINDOW \[768, 768\] "
        ),
        memory_of_test_in_keys(config, process),
    ):
        raise OF_A_GPU


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        RuntimeError(
            "Caught RuntimeError in DataLoader worker process 0.\nOriginal Traceback\n"
            "RuntimeError: DefaultCPUAllocator: can't allocate memory"
        ),
        UsageError("DefaultCPUAllocator: as a name"),
    ],
    ids=["another", "of a reading worker", "a user's"],
)
def test_other_errors_pass(error):
    config, process = load_config("quickstart"), Process(0, 1, torch.device("cpu"))
    for context in (memory_of_training_in_keys, memory_of_test_in_keys):
        with pytest.raises(type(error)) as told, context(config, process):
            raise error
        assert told.value is error


def test_a_run_that_trains(cfg, options, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(TrainStep, "__call__", raises(OF_THE_MACHINE))
    assert main([*cfg, *words(options, CPU_THREADS=1)]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "error: out of memory on cpu (4.00 GiB more) in forward and backward with "
        "TRAIN.BATCH_SIZE = 4: a smaller one, TRAIN.ACCUMULATION_STEPS 2 or "
        "MODEL.ACT_CHECKPOINT True takes less; train --find-batch says which batch fits"
    )
    log = (options["OUTPUT_DIR"] / "log.txt").read_text()
    assert "DefaultCPUAllocator" in log


def test_a_run_that_tests(cfg, options, monkeypatch, capsys):
    def fail(*args, process, **kwargs):
        process.doing("testing")
        raise OF_THE_MACHINE

    assert testing.evaluate is evaluate
    monkeypatch.setattr(testing, "evaluate", fail)
    assert main([*cfg, *words(options, **{"SOLVER.MAX_EPOCH": 1})]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "error: out of memory on cpu (4.00 GiB more) in testing with TEST.BATCH_SIZE = 8: a smaller one "
        "takes less"
    )
