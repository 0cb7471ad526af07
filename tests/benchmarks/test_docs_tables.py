"""Tables in docs/benchmarks.md are those that the numbers in benchmarks/results make."""

import json

import docs_tables
import pytest
from docs_tables import counts_section, with_sections
from gpu_join import joined
from gpu_report import gpu_section
from results_text import as_text


def test_the_docs_agree_with_the_results(capsys):
    status = docs_tables.main(["--check"])
    assert status == 0, capsys.readouterr().out


def test_docs_that_differ_are_found_and_written(tmp_path, monkeypatch, capsys):
    page = tmp_path / "page.md"
    text = docs_tables.PAGE.read_text(encoding="utf-8")
    page.write_text(text.replace("| lean |", "| leaner |"), encoding="utf-8")
    monkeypatch.setattr(docs_tables, "PAGE", page)
    monkeypatch.setattr(docs_tables, "ROOT", tmp_path)
    assert docs_tables.main(["--check"]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert line == "error: page.md differs; run python benchmarks/docs_tables.py"
    assert docs_tables.main([]) == 0
    assert page.read_text(encoding="utf-8") == text


def test_sections_of_a_page():
    page = "a\n<!-- x: begin (how) -->\nold\n<!-- x: end -->\nb\n"
    assert with_sections(page, {"x": "n\\1w\n"}) == (
        "a\n<!-- x: begin (how) -->\nn\\1w\n<!-- x: end -->\nb\n"
    )
    with pytest.raises(ValueError, match="0 sections y"):
        with_sections(page, {"y": ""})


def row(form, which, dtype, launches, **more):
    size = {"stage": "res4", "batch": 8, "frames": 8, "floor_bytes": 64_200_000}
    return {
        **size,
        "form": form,
        "pass": which,
        "dtype": dtype,
        "mode": "eager",
        "launches": launches,
        **more,
    }


def test_counts_in_tables():
    known = {"moved_bytes": 513_300_000, "forward_macs": 10_680_000_000}
    rows = [
        row("published", "training", "float32", 31),
        row("published", "training", "bfloat16", 47, saved_bytes=54_500_000, **known),
        row("published", "inference", "bfloat16", 21, **known),
        row("fused", "inference", "bfloat16", 20),
    ]
    ahead = row("published", "training", "bfloat16", 30, saved_bytes=53_000_000)
    compiled = [{**ahead, "mode": "compiled"}]
    text = counts_section({"rows": rows}, {"torch": "2.15.0+cpu", "rows": compiled})
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    assert lines[0].startswith("| launches | training, fp32 | training, bf16 | inference, fp32 |")
    assert lines[2] == "| published | 31 | 47 | | 21 | 30 | |"
    assert lines[3] == "| fused | | | | 20 | | |"
    assert lines[4].startswith("| Res4, 8 clips of 8 frames, bf16 | GMACs, inference |")
    assert lines[6] == "| published | 10.68 | 513 | 54 | 53 | | 513 |"
    assert lines[8] == "| any unit, at least | | 64 | | | | 64 |"
    assert "torch 2.15.0's inductor" in text


GPU = {
    "rates": '{"device": "A GPU", "torch": "2.15.0", "launch": 5.25e-6, "bandwidth": 3.9e12}',
    "tests": as_text({"passed": 62, "failed": 0, "skipped": 0}, []),
    "unit": as_text(
        {"device": "A GPU", "torch": "2.15.0", "command": "python benchmarks/unit.py"},
        [
            {
                **row("lean", "training", "bfloat16", 38, channels_last=True, kernels=41),
                "seconds": 3.4567e-4,
                "ratio": 0.9,
                "over_floor": 5.25,
            }
        ],
    ),
    "network_training": as_text(
        {"device": "A GPU", "torch": "2.15.0", "command": "python benchmarks/network.py --train"},
        [
            {
                "network": "ours",
                "fused": False,
                "channels_last": True,
                "bf16": True,
                "compiled": "all",
                "seconds": 0.0261,
                "ratio": 0.4,
                "units_share": 0.28,
            }
        ],
    ),
    "loop": as_text({"device": "A GPU", "torch": "2.15.0", "command": "l", "ratio": 1.02}, []),
    "run": as_text(
        {"device": "A GPU", "torch": "2.15.0", "command": "r", "clips_per_second": 873.4}
        | {"of_bare_step": 0.871},
        [],
    ),
}


def test_a_gpu_in_tables():
    ended = [
        {"part": "tests", "seconds": 5, "ended": "done"},
        {"part": "network_inference", "seconds": 9, "ended": "cut off after 9 s"},
    ]
    lines = gpu_section(json.loads(joined(ended, GPU))).splitlines()
    assert "`bash benchmarks/gpu.sh`, A GPU, torch 2.15.0." in lines
    assert "Tests on it: 62 passed, 0 failed, 0 skipped." in lines
    assert "`benchmarks/device_rates.py`: launch 5.2e-06, bandwidth 3.9e+12." in lines
    assert "network_inference: cut off after 9 s." in lines
    assert "| lean | 41 | 0.346 | 0.90 | 5.2 | | | |" in lines
    assert "| ours, channels-last, bf16, compiled (all) | | 26.1 | 0.40 | | 28.0 |" in lines
    assert "`l`: the loop takes 1.020 of the bare steps' time." in lines
    assert "`r`: 873 clips/s, 87% of the bare step's." in lines


def test_without_a_gpu_the_docs_say_so():
    text = gpu_section(None)
    assert "Not measured on a GPU" in text
    assert "bash benchmarks/gpu.sh" in text
    partial = gpu_section(json.loads(joined([], {})))
    assert "nothing measured" in partial
