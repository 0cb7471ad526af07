"""benchmarks/unit.py and network.py: their tables and files; the counts in benchmarks/results are right."""

import json
from pathlib import Path

import network
import pytest
import torch
import unit
import unit_forms
from network_forms import Form, groups
from side_by_side import measure, print_table

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
COUNTS = json.loads((RESULTS / "unit_counts.json").read_text(encoding="utf-8"))["rows"]
CPU = torch.device("cpu")


@pytest.fixture
def own_settings():
    """What a benchmark sets for its process."""
    threads, state = torch.get_num_threads(), torch.random.get_rng_state()
    benchmark = torch.backends.cudnn.benchmark
    yield
    torch.backends.cudnn.benchmark = benchmark
    torch.set_num_threads(threads)
    torch.random.set_rng_state(state)


def test_counts_are_of_all_forms():
    found = {(row["form"], row["pass"]) for row in COUNTS}
    assert found >= {(form, "inference") for form in unit_forms.COUNTED}
    assert {row["dtype"] for row in COUNTS} == {"float32", "bfloat16"}


def counted(form, which, dtype, stage="res4"):
    [row] = [
        row
        for row in COUNTS
        if (row["form"], row["pass"], row["dtype"], row["stage"]) == (form, which, dtype, stage)
    ]
    return row


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("which", ["training", "inference"])
@pytest.mark.parametrize("form", unit_forms.COUNTED)
def test_launches_are_those_in_the_results(form, which, dtype):
    """They do not depend on sizes, so that of a small unit they are recounted."""
    module = unit_forms.build(form, 48, training=which == "training")
    if module is None:
        assert not [row for row in COUNTS if (row["form"], row["pass"]) == (form, which)]
        return
    x = torch.randn(3, 48, 4, 4, 6).contiguous(memory_format=torch.channels_last_3d)
    one_pass = unit.a_pass(module, x.to(getattr(torch, dtype)), training=which == "training")
    row = measure({form: one_pass}, device=CPU, rounds=0)[form]
    # Another version of torch may have one more or less.
    assert row["launches"] == pytest.approx(counted(form, which, dtype)["launches"], abs=3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "which"),
    [("published", "training"), ("lean", "training"), ("fused-lean", "inference")],
)
def test_bytes_are_those_in_the_results(form, which):
    expected = counted(form, which, "float32")
    settings = {"batch": expected["batch"], "frames": expected["frames"]}
    x = unit_forms.an_input("res4", **settings, channels_last=True, device=CPU)
    module = unit_forms.build(form, x.shape[1], training=which == "training")
    row = measure(
        {form: unit.a_pass(module, x, training=which == "training")}, device=CPU, rounds=0
    )[form]
    for key in ("moved_bytes", "saved_bytes"):
        if key in expected:
            assert row[key] == pytest.approx(expected[key], rel=0.06)


def test_a_unit_in_a_table_and_a_file(tmp_path, capsys, own_settings):
    path = tmp_path / "new" / "unit.json"
    arguments = "--stages res4 --batch 1 --frames 2 --rounds 1 --forms published fused --json"
    unit.main([*arguments.split(), str(path)])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 120
    assert [line.split()[0] for line in lines if line[:1].islower()] == [
        *("res4,", "published", "res4,", "published", "fused")
    ]
    written = json.loads(path.read_text())
    assert written["device"] == "CPU"
    assert written["torch"] == torch.__version__
    assert "json" not in written["command"]
    rows = {(row["form"], row["pass"]): row for row in written["rows"]}
    assert set(rows) == {
        *(("published", "training"), ("published", "inference"), ("fused", "inference"))
    }
    row = rows["published", "training"]
    size = 1024 * 14 * 14 * 4
    assert row["floor_bytes"] == 5 * size
    assert rows["fused", "inference"]["floor_bytes"] == 2 * size
    assert row["ratio"] == 1
    floor = row["floor_bytes"] / written["copied_bytes_a_second"]
    assert row["over_floor"] == pytest.approx(row["seconds"] / floor, rel=0.01)
    assert rows["fused", "inference"]["launches"] < row["launches"]


def test_times_need_the_published_order(capsys):
    with pytest.raises(SystemExit):
        unit.main(["--forms", "lean"])
    assert "--forms must have published among them" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("train", [[], ["--train"]], ids=["inference", "training"])
def test_networks_in_a_table_and_a_file(train, tmp_path, capsys, own_settings):
    path = tmp_path / "network.json"
    arguments = (
        "--model tiny --batch 2 --size 32 --rounds 1 --bf16 --backend eager --compile --json"
    )
    network.main([*train, *arguments.split(), str(path)])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 140
    rows = json.loads(path.read_text())["rows"]
    fused = not train
    shared = {"channels_last": True, "bf16": True}
    for name in ("ours", "plain"):
        for compiled in ("", "all"):
            wanted = {"network": name, "compiled": compiled, "fused": fused, **shared}
            [row] = [row for row in rows if wanted.items() <= row.items()][:1]
            assert ("units_share" in row) == (name == "ours")
    [units] = [row for row in rows if row["compiled"] == "units"]
    assert units["network"] == "ours"
    assert "units_share" in units


def test_what_matters_most_comes_first():
    names = ["published", "ours", "plain", "non-local"]
    found = list(groups(names, training=True, bf16=True, compiled=["ours", "plain", "non-local"]))
    assert [str(form) for form in found[0]] == names
    assert [str(form) for form in found[2]] == [
        "published",
        "ours, channels-last, bf16, compiled",
        "plain, channels-last, bf16, compiled",
    ]
    assert [str(form) for form in found[-1]] == [
        "published",
        "non-local, channels-last, bf16, compiled",
    ]
    assert all(str(group[0]) == "published" for group in found)


def test_shares_compare_equal_forms():
    ours, plain = Form("ours", bf16=True), Form("plain", bf16=True)
    of_units = Form("ours", bf16=True, compiled="units")
    rows = {ours: {"ratio": 0.6}, of_units: {"ratio": 0.55}, Form("ours"): {"ratio": 1.0}}
    network.add_shares(rows, {**rows, plain: {"ratio": 0.5}})
    assert rows[ours]["units_share"] == pytest.approx(0.2)
    assert rows[of_units]["units_share"] == pytest.approx(0.1)
    assert "units_share" not in rows[Form("ours")]


def test_a_table_leaves_out_what_nothing_has(capsys):
    print_table(["a", "b"], [{"launches": 3}, {"launches": 4, "seconds": 0.5}], width=4)
    assert capsys.readouterr().out == (
        "      launches        ms\na            3         -\nb            4    500.00\n"
    )
