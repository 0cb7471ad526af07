"""Progress without a terminal, and metrics that forget."""

import logging

from glore_video.engine import run_log
from glore_video.engine.run_log import MetricsLog, progress


class Spoken(logging.Handler):
    def __init__(self):
        super().__init__(logging.INFO)
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


def lines_of(monkeypatch, *, seconds_an_item, **options):
    clock = iter(range(0, 10_000, seconds_an_item))
    monkeypatch.setattr(run_log.time, "monotonic", lambda: next(clock))
    spoken = Spoken()
    monkeypatch.setattr(run_log, "logger", logging.Logger("test"))
    run_log.logger.addHandler(spoken)
    items = progress(range(4), total=6, name="test", is_main=True, **options)
    assert list(items) == [0, 1, 2, 3]
    return spoken.lines


def test_plain_lines_now_and_then(monkeypatch):
    spoken = lines_of(monkeypatch, seconds_an_item=20, initial=2)
    assert spoken == ["test: 3 of 6", "test: 5 of 6"]


def test_no_plain_lines_where_others_speak(monkeypatch):
    others = iter([100, 190, 280, 370])
    assert lines_of(monkeypatch, seconds_an_item=20, spoken_at=lambda: next(others)) == []
    others = iter([0, 0, 90, 0])
    spoken = lines_of(monkeypatch, seconds_an_item=20, spoken_at=lambda: next(others))
    assert spoken == ["test: 1 of 6", "test: 3 of 6"]


def test_metrics_after_a_step_are_forgotten(tmp_path):
    with MetricsLog(tmp_path, tensorboard=False) as metrics:
        for step in (1, 2, 3):
            metrics.write("train_iter", step=step, loss=0.5)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"split": "train_iter", "st')  # killed while writing
    with MetricsLog(tmp_path, tensorboard=False) as metrics:
        metrics.forget_after(2)
        metrics.write("val_epoch", step=2, top1=1.0)
    assert (tmp_path / "metrics.jsonl").read_text().splitlines() == [
        '{"split": "train_iter", "step": 1, "loss": 0.5}',
        '{"split": "train_iter", "step": 2, "loss": 0.5}',
        '{"split": "val_epoch", "step": 2, "top1": 1.0}',
    ]
