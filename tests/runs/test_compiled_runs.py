"""Whole runs with MODEL.COMPILE: compiled they are the same runs, to rounding."""

import pytest
import torch
from run_files import flat, lines_of, one_error_line
from torch._dynamo.testing import CompileCounterWithBackend
from torch._dynamo.utils import counters

from glore_video.cli.train import main
from glore_video.engine import compiling
from glore_video.engine.checkpoint import checkpoint_path, read_checkpoint
from glore_video.runs import network


@pytest.fixture(autouse=True)
def _fresh():
    torch._dynamo.reset()
    counters.clear()
    yield
    torch._dynamo.reset()


def counted(monkeypatch, backend):
    """Runs compile by this backend, which counts."""
    counter = CompileCounterWithBackend(backend)

    def with_counter(*args, **options):
        return compiling.Compiling(*args, backend=counter, **options)

    monkeypatch.setattr(network, "Compiling", with_counter)
    return counter


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
@pytest.mark.parametrize("what", ["all", "units"])
def test_the_same_run(cfg, options, tmp_path, monkeypatch, what, backend):
    """With validation, a moving average, precise statistics, parts and a test whose last batch is smaller."""
    options |= {
        "TRAIN.ACCUMULATION_STEPS": 2,
        "TRAIN.EMA_DECAY": 0.5,
        "BN.USE_PRECISE_STATS": True,
        "BN.NUM_BATCHES_PRECISE": 2,
        "TEST.NUM_SPATIAL_CROPS": 3,
        "TEST.BATCH_SIZE": 4,
        "CPU_THREADS": 1,
        "MODEL.DROPOUT_RATE": 0,  # inductor draws its masks by itself
    }
    outs = [options["OUTPUT_DIR"], tmp_path / "compiled"]
    assert main([*cfg, *flat(options)]) == 0
    counter = counted(monkeypatch, backend)
    options |= {"OUTPUT_DIR": outs[1], "MODEL.COMPILE": what}
    assert main([*cfg, *flat(options)]) == 0
    # In training and in eval mode: the average and what is tested share the graph of validation.
    assert counter.frame_count == 2
    states = [read_checkpoint(checkpoint_path(out, 2)) for out in outs]
    for key in ("model_state", "ema_state"):
        assert list(states[0][key]) == list(states[1][key])
        torch.testing.assert_close(states[1][key], states[0][key], rtol=1e-3, atol=1e-4)
    logs = [lines_of(out / "metrics.jsonl") for out in outs]
    for plain, compiled in zip(*logs, strict=True):
        assert plain.get("loss", 0) == pytest.approx(compiled.get("loss", 0), abs=1e-3)


def test_units_of_a_network_without_any(cfg, options, capsys):
    options |= {"GLORE.LOCATION": "[]", "MODEL.COMPILE": "units"}
    assert main([*cfg, *flat(options)]) == 2
    assert "MODEL.COMPILE all compiles the whole of it" in one_error_line(capsys)


@pytest.mark.slow
def test_a_run_of_true_goes_on_with_all(cfg, options, monkeypatch, caplog):
    counted(monkeypatch, "eager")
    options |= {"MODEL.COMPILE": True, "TEST.ENABLE": False, "SOLVER.MAX_EPOCH": 1}
    assert main([*cfg, *flat(options)]) == 0
    path = checkpoint_path(options["OUTPUT_DIR"], 1)
    state = read_checkpoint(path)
    assert state["config"]["MODEL"]["COMPILE"] == "all"
    state["config"]["MODEL"]["COMPILE"] = True  # as it once was
    torch.save(state, path)
    options |= {"MODEL.COMPILE": "all", "TRAIN.AUTO_RESUME": True}
    assert main([*cfg, *flat(options)]) == 0
    assert "MODEL.COMPILE" not in caplog.text
