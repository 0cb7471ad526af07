"""A whole network: published order, without units, with non-local blocks, and ours in every form.

    python benchmarks/network.py                                   # CPU, inference, 4 clips, fp32
    python benchmarks/network.py --train --batch 2
    python benchmarks/network.py --device cuda --batch 8 --bf16 --compile
    python benchmarks/network.py --device cuda --batch 8 --bf16 --compile --train

Inference forms are eager unless compiled; "channels-last" and "bf16" come on top of the fused
network (`fuse_for_inference`). Training steps are forward and backward. Times are minima over
interleaved rounds, ratios are to the published order in eager fp32. With --train the share of the
units is what the network takes beyond the same network without them, form by form.
bf16 pays only where the processor multiplies in it: on a CPU, AVX512-BF16 or AMX.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable, Sequence

import torch
from timing import compare
from torch import Tensor, nn

from glore_video.cli.arguments import Parser, not_negative, positive
from glore_video.models import create_model, glore_units, insert_nonlocal, locate
from glore_video.models.deployment.conv_bn_fusion import fuse_for_inference

# The plain network of each, and where SlowFast's configs put non-local blocks.
PLAIN = {"glore_r50_8x8": "preact_r50_8x8", "glore_r101_8x8": "preact_r101_8x8"}
NONLOCAL = [[[]], [[1, 3]], [[1, 3, 5]], [[]]]
LAST = torch.channels_last_3d


def main(argv: Sequence[str] | None = None) -> None:
    args = parse(argv)
    torch.manual_seed(0)
    if args.threads:
        torch.set_num_threads(args.threads)
    device = torch.device(args.device)
    clip = torch.randn(args.batch, 3, args.frames, args.size, args.size, device=device)
    runs = training(args, clip) if args.train else inference(args, clip)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    print(
        f"{name}, torch {torch.__version__}, {torch.get_num_threads()} threads, {args.model}, "
        f"{'training step' if args.train else 'inference'}, {tuple(clip.shape)}"
    )
    costs = compare(runs, rounds=args.rounds, device=device, cpu_time=args.cpu_time)
    base = costs["published"]
    print(f"{'':36}{'ms':>9}{'ratio':>7}{'peak MB':>9}{'ratio':>7}")
    for form, cost in costs.items():
        print(
            f"{form:36}{cost.seconds * 1e3:9.1f}{cost.seconds / base.seconds:7.2f}"
            f"{cost.peak_bytes / 1e6:9.0f}{cost.peak_bytes / max(base.peak_bytes, 1):7.2f}"
        )
    for form, cost in costs.items():
        plain = costs.get(form.replace("ours", "plain"))
        if args.train and form.startswith("ours") and plain is not None:
            share = (cost.seconds - plain.seconds) / plain.seconds
            print(f"the units of {form}: {share:.1%} on top of the plain network")


def networks(args: argparse.Namespace) -> dict[str, nn.Module]:
    ours = create_model(args.model)
    for unit in glore_units(ours).values():
        nn.init.ones_(unit.blocker.weight)  # type: ignore[arg-type]
    published = copy.deepcopy(ours)
    for unit in glore_units(published).values():
        unit.order = "published"
    plain = create_model(PLAIN[args.model])
    forms = {"published": published, "ours": ours, "plain": plain}
    if args.nonlocal_blocks:
        host = copy.deepcopy(plain)
        forms["non-local"] = insert_nonlocal(host, after=locate(host, NONLOCAL))
    return {name: form.to(args.device) for name, form in forms.items()}


def inference(args: argparse.Namespace, clip: Tensor) -> dict[str, Callable[[], object]]:
    forms = {name: form.eval().requires_grad_(False) for name, form in networks(args).items()}
    fused = fuse_for_inference(forms["ours"])
    last = copy.deepcopy(fused).to(memory_format=LAST)
    clip_last = clip.contiguous(memory_format=LAST)

    def runner(form: nn.Module, clip: Tensor, dtype: torch.dtype | None = None) -> Callable:
        def run() -> None:
            with torch.inference_mode(), _autocast(clip.device, dtype):
                form(clip)

        return run

    runs = {name: runner(form, clip) for name, form in forms.items()}
    runs["ours, fused"] = runner(fused, clip)
    runs["ours, fused, channels-last"] = runner(last, clip_last)
    if args.bf16:
        runs["ours, fused, channels-last, bf16"] = runner(last, clip_last, torch.bfloat16)
    if args.compile:
        compiled = torch.compile(copy.deepcopy(last))
        dtype = torch.bfloat16 if args.bf16 else None
        runs["ours, all that and compiled"] = runner(compiled, clip_last, dtype)
    return runs


def training(args: argparse.Namespace, clip: Tensor) -> dict[str, Callable[[], object]]:
    forms = {name: form.train() for name, form in networks(args).items()}

    def runner(form: nn.Module, clip: Tensor, dtype: torch.dtype | None = None) -> Callable:
        def run() -> None:
            form.zero_grad()
            with _autocast(clip.device, dtype):
                loss = form(clip).float().square().mean()
            loss.backward()

        return run

    runs = {name: runner(form, clip) for name, form in forms.items()}
    clip_last = clip.contiguous(memory_format=LAST)
    dtype = torch.bfloat16 if args.bf16 else None
    for name in ("plain", "ours"):
        last = copy.deepcopy(forms[name]).to(memory_format=LAST)
        label = f"{name}, channels-last" + (", bf16" if args.bf16 else "")
        runs[label] = runner(last, clip_last, dtype)
        if args.compile:
            runs[label + ", compiled"] = runner(
                torch.compile(copy.deepcopy(last)), clip_last, dtype
            )
    return runs


def _autocast(device: torch.device, dtype: torch.dtype | None) -> torch.autocast:
    return torch.autocast(device.type, dtype=dtype, enabled=dtype is not None)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="glore_r50_8x8", choices=list(PLAIN))
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--batch", type=positive, default=4)
    parser.add_argument("--frames", type=positive, default=8)
    parser.add_argument("--size", type=positive, default=224)
    parser.add_argument("--rounds", type=positive, default=5)
    parser.add_argument(
        "--threads", type=not_negative, default=0, help="of the CPU; torch's own by default"
    )
    parser.add_argument("--bf16", action="store_true", help="add forms in bf16 autocast")
    parser.add_argument("--compile", action="store_true", help="add compiled forms")
    parser.add_argument("--cpu-time", action="store_true", help="CPU seconds, not wall-clock ones")
    parser.add_argument(
        "--no-nonlocal", dest="nonlocal_blocks", action="store_false", help="leave that one out"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
