"""Words of a run's command, and what it leaves."""

import json

from glore_video.engine.checkpoint import checkpoint_path, read_checkpoint


def flat(options):
    return [str(word) for pair in options.items() for word in pair]


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def without_times(line):
    return {k: v for k, v in line.items() if not k.endswith("seconds") and "clips_per" not in k}


def weights_of(out, epoch):
    return read_checkpoint(checkpoint_path(out, epoch))["model_state"]


def one_error_line(capsys):
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("2")]
    assert len(lines) == 1, lines
    assert lines[0].startswith("error: ")
    return lines[0]
