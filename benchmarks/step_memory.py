"""Memory of a training step: what is computed of a configuration beside what a real step needs.

python benchmarks/step_memory.py --cfg k400_glore_r50 TRAIN.BATCH_SIZE 2 NUM_GPUS 0
"""

from __future__ import annotations

import argparse
import copy
import sys

import torch
from memory import peak_bytes

from glore_video.cli.guarding import guarded
from glore_video.config import load_config, with_values
from glore_video.engine.launch.processes import Process
from glore_video.runs.network import build_model, build_precision
from glore_video.runs.step_memory import (
    count_inputs,
    prepared_for_steps,
    state_bytes,
    step_memory,
)
from glore_video.runs.training import build_train_step, samples_per_step
from glore_video.tasks import task_of


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cfg", required=True)
    parser.add_argument("pairs", nargs="*", metavar="KEY VALUE")
    args = parser.parse_intermixed_args()
    config = load_config(args.cfg, args.pairs)
    task = task_of(config)
    if not config.MODEL.NUM_CLASSES:
        config = with_values(config, {"MODEL.NUM_CLASSES": task.usual_classes})
        task = task_of(config)
    device = torch.device("cuda" if config.NUM_GPUS else "cpu")
    model = build_model(config)
    form = copy.deepcopy(model)
    prepared_for_steps(config, form)
    amp_dtype = build_precision(config, device).amp_dtype
    saved = count_inputs(config, form, amp_dtype=amp_dtype, device=device.type)
    computed = step_memory(config, form, saved)

    step = build_train_step(config, task, model, Process(0, 1, device))
    step.parallel.train()
    inputs = samples_per_step(config)
    pixels = torch.zeros(inputs, *task.input_shape, dtype=torch.uint8)
    targets, generator = task.example_targets(inputs), torch.Generator()

    def run() -> None:
        step(pixels, targets, generator)
        step.optimizer.zero_grad()

    held = state_bytes(config, form) - sum(
        p.numel() * p.element_size() for p in form.parameters() if p.requires_grad
    )
    measured = held + peak_bytes(run, device)
    print(f"{args.cfg}, {inputs} {task.words.inputs} on {device}, MB (1e6 bytes):")
    print(
        f"computed {computed.total / 1e6:.1f}: {computed.kept / 1e6:.1f} for the backward pass, ",
        end="",
    )
    print(f"{computed.states / 1e6:.1f} of weights, gradients and optimiser")
    print(f"measured at most {measured / 1e6:.1f}, {measured / computed.total:.2f} of it")
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
