"""Manifests: rows, indices beside them, what survives a killed writer."""

import errno
import os
import re
from contextlib import nullcontext
from pathlib import Path

import pytest
from encoded_videos import encode

from glore_video.data.video.known_videos import load_manifest
from glore_video.data.video.manifest import (
    COLUMNS,
    ManifestRow,
    index_file,
    is_manifest,
    read_rows,
)
from glore_video.data.video.manifest_writer import ManifestWriter
from glore_video.data.video.splits import load_split
from glore_video.tasks.video_classification import dataset as video_dataset
from glore_video.tasks.video_classification.dataset import CentreClips
from glore_video.video import ClipSampling, read_index

HEADER = (
    "path,label,status,frames,fps,width,height,codec,gop,duration,size,modified_ns,reason,"
    "index_offset,index_size"
)


def write(manifest, *rows):
    with ManifestWriter(manifest) as writer:
        for row, data in rows:
            writer.add(row, data)
        writer.finish([writer.known[row.path] for row, _ in rows])


def ok(path, label=0, **more):
    return ManifestRow(path=path, label=label, status="ok", frames=10, **more)


def test_the_file_is_the_csv_that_is_promised(tmp_path):
    row = ManifestRow(
        path='a "b", c é.mp4',
        label=3,
        status="damaged",
        frames=7,
        fps=29.97003,
        width=96,
        height=64,
        codec="h264",
        gop=12,
        duration=0.233567,
        size=1000,
        modified_ns=1700000000123456789,
        reason="cut off, it is",
    )
    write(tmp_path / "m.csv", (row, b"index"))
    assert (tmp_path / "m.csv").read_text(encoding="utf-8") == (
        f"{HEADER}\n"
        '"a ""b"", c é.mp4",3,damaged,7,29.97003,96,64,h264,12,0.233567,1000,1700000000123456789,'
        '"cut off, it is",0,5\n'
    )
    assert (tmp_path / "m.csv.index").read_bytes() == b"index"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.csv", "m.csv.index"]
    (again,) = read_rows(tmp_path / "m.csv")
    assert (again.path, again.modified_ns, again.reason) == (row.path, row.modified_ns, row.reason)


def test_names_that_are_no_utf8_survive(tmp_path):
    name = b"caf\xe9.mp4".decode("utf-8", "surrogateescape")
    write(tmp_path / "m.csv", (ok(name), b""))
    (row,) = read_rows(tmp_path / "m.csv")
    assert row.path == name


def test_paths_that_spreadsheets_run_as_formulas(tmp_path):
    rows = [ok("=cmd/a.mp4", 1), ok("-_aB3.mp4"), ok("'=q.mp4"), ok("a=b.mp4")]
    write(tmp_path / "m.csv", *((row, b"x") for row in rows))
    cells = [line.split(",")[0] for line in (tmp_path / "m.csv").read_text().splitlines()[1:]]
    assert cells == ["'=cmd/a.mp4", "'-_aB3.mp4", "''=q.mp4", "a=b.mp4"]
    assert [row.path for row in read_rows(tmp_path / "m.csv")] == [row.path for row in rows]
    videos = load_manifest(tmp_path / "m.csv", prefix=Path("/"), num_classes=2)
    assert list(videos.paths()) == [f"/{row.path}" for row in rows]
    with ManifestWriter(tmp_path / "m.csv") as writer:
        assert set(writer.known) == {row.path for row in rows}


SPREADSHEETS = {
    "semicolons": lambda text: "\ufeff" + text.replace(",", ";").replace("29.97", "29,97"),
    "tabs": lambda text: text.replace(",", "\t"),
    "quotes": lambda text: "\n".join(
        ",".join(f'"{cell}"' for cell in line.split(",")) for line in text.splitlines()
    ),
    "rounded times": lambda text: text.replace("1700000000123456789", "1.7E+18"),
    "empty lines": lambda text: text + "," * 14 + "\n\n",
}


@pytest.mark.parametrize("how", SPREADSHEETS)
def test_manifests_that_a_spreadsheet_saved(tmp_path, how):
    times = {"size": 5, "modified_ns": 1700000000123456789}
    rows = [ok("é.mp4", 1, fps=29.97, **times), ok("b.mp4", **times)]
    write(tmp_path / "train.csv", *((row, b"x") for row in rows))
    text = SPREADSHEETS[how]((tmp_path / "train.csv").read_text(encoding="utf-8"))
    (tmp_path / "train.csv").write_bytes(text.replace("\n", "\r\n").encode())
    assert is_manifest(tmp_path / "train.csv")
    read = list(read_rows(tmp_path / "train.csv"))
    assert [(row.path, row.label, row.fps) for row in read] == [
        ("é.mp4", 1, 29.97),
        ("b.mp4", 0, 0.0),
    ]
    assert {row.modified_ns for row in read} == {
        0 if how == "rounded times" else 1700000000123456789
    }
    (tmp_path / "b.mp4").touch()
    assert load_split(tmp_path, "train", num_classes=2).labels.tolist() == [1, 0]


def test_manifests_with_changed_columns_are_named(tmp_path):
    header = HEADER.replace("frames,", "")
    (tmp_path / "train.csv").write_text(f"{header}\na,0,ok,1,1,1,h,1,1,1,1,,0,0\n")
    message = rf"train\.csv: a manifest with other columns, {header}; as .* it has {HEADER}"
    with pytest.raises(ValueError, match=message):
        load_split(tmp_path, "train", num_classes=5)


@pytest.mark.parametrize("labels", [(0, 1), (1, 1)], ids=["two", "one"])
def test_a_video_has_one_label(tmp_path, labels):
    lines = [f"a.mp4,{label},ok,1,1,1,1,h,1,1,1,1,,0,0" for label in labels]
    (tmp_path / "m.csv").write_text("\n".join([HEADER, *lines, ""]))
    message = "a.mp4 has label 0 in line 2 and label 1 in line 3"
    with pytest.raises(ValueError, match=message) if labels[0] == 0 else nullcontext():
        load_manifest(tmp_path / "m.csv", prefix=tmp_path, num_classes=5)


def test_what_a_killed_writer_wrote_is_known_to_the_next(tmp_path):
    manifest = tmp_path / "m.csv"
    write(manifest, (ok("a"), b"AAA"), (ok("b", size=1), b"BB"))
    with ManifestWriter(manifest) as writer:
        writer.add(ok("b", size=2), b"new")
        writer.add(ok("c"), b"CCCC")
    partial = tmp_path / "m.csv.partial"
    with partial.open("a") as file:
        file.write("d,0,ok,1,")  # killed in the middle of a row
    assert [row.path for row in read_rows(manifest)] == ["a", "b"]

    with ManifestWriter(manifest) as writer:
        assert {path: row.size for path, row in writer.known.items()} == {"a": 0, "b": 2, "c": 0}
        writer.add(ok("d é"), b"DD")
    with ManifestWriter(manifest) as writer:
        assert writer.known.keys() == {"a", "b", "c", "d é"}
        writer.finish([writer.known[path] for path in ("c", "d é", "b", "a")])
    rows = list(read_rows(manifest))
    assert [row.path for row in rows] == ["c", "d é", "b", "a"]
    kept = index_file(manifest).read_bytes()
    assert [kept[row.index_offset :][: row.index_size] for row in rows] == [
        b"CCCC",
        b"DD",
        b"new",
        b"AAA",
    ]
    assert not partial.exists()


def test_nothing_is_half_written(tmp_path):
    manifest = tmp_path / "m.csv"
    write(manifest, (ok("a"), b"AAA"))
    before = manifest.read_bytes(), index_file(manifest).read_bytes()

    def interrupted(row):
        yield row
        raise KeyboardInterrupt

    with ManifestWriter(manifest) as writer:
        writer.add(ok("b"), b"B")
        with pytest.raises(KeyboardInterrupt):
            writer.finish(interrupted(writer.known["b"]))
    assert (manifest.read_bytes(), index_file(manifest).read_bytes()) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "m.csv",
        "m.csv.index",
        "m.csv.partial",
        "m.csv.partial.index",
    ]


def test_one_writer_at_a_time(tmp_path):
    with (
        ManifestWriter(tmp_path / "m.csv"),
        pytest.raises(ValueError, match=r"m\.csv: another process is writing it"),
    ):
        ManifestWriter(tmp_path / "m.csv")
    ManifestWriter(tmp_path / "m.csv").__exit__(None, None, None)


def test_file_systems_without_locks_are_written_to(tmp_path, monkeypatch, caplog):
    fcntl = pytest.importorskip("fcntl", reason="this system has no flock")

    def flock(file, operation):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", flock)
    write(tmp_path / "m.csv", (ok("a.mp4"), b"x"))
    assert [row.path for row in read_rows(tmp_path / "m.csv")] == ["a.mp4"]
    (warning,) = caplog.messages
    assert warning.startswith(f"{tmp_path / 'm.csv.partial'} can't be locked (")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a,0,ok", "m.csv:2: 3 columns, a manifest has 15"),
        ("a,x,ok,1,1,1,1,h,1,1,1,1,,0,0", "m.csv:2: not a row of a manifest (invalid literal"),
        ("a,0,fine,1,1,1,1,h,1,1,1,1,,0,0", "m.csv:2: status 'fine', allowed: ok, damaged"),
        ("a,9,ok,1,1,1,1,h,1,1,1,1,,0,0", "m.csv:2: label 9 is not in 0 .. 4 (MODEL.NUM_CLASSES"),
        ("a,-1,ok,1,1,1,1,h,1,1,1,1,,0,0", "m.csv:2: label -1 is not in 0 .. 4"),
    ],
)
def test_bad_rows_name_the_line(tmp_path, line, message):
    assert ",".join(COLUMNS) == HEADER
    (tmp_path / "m.csv").write_text(f"{HEADER}\n{line}\n")
    with pytest.raises(ValueError, match=re.escape(message)):
        load_manifest(tmp_path / "m.csv", prefix=tmp_path, num_classes=5)


@pytest.mark.parametrize(
    "content",
    [b"a.mp4 1\n", b"", b"\xff\xfe\x00", b"path,label\na,1\n"],
    ids=["list", "empty", "bytes", "other columns"],
)
def test_other_files_are_no_manifests(tmp_path, content):
    (tmp_path / "m.csv").write_bytes(content)
    assert not is_manifest(tmp_path / "m.csv")


@pytest.fixture
def split(tmp_path):
    """train.csv is a manifest: a and d are whole, b is damaged, c is unreadable."""
    paths = {name: encode(tmp_path / f"{name}.mp4", numbers=range(20)) for name in "ad"}
    kept = {name: read_index(path).to_bytes() for name, path in paths.items()}
    write(
        tmp_path / "train.csv",
        (ok("a.mp4", 1), kept["a"]),
        (ManifestRow(path="b.mp4", label=2, status="damaged", frames=5, reason="cut off"), b""),
        (ManifestRow(path="c.mp4", label=3, status="timeout"), b""),
        (ok("d.mp4", 4), kept["d"]),
    )
    return tmp_path


def test_training_list_leaves_bad_videos_out_and_names_them(split):
    videos = load_split(split, "train", num_classes=5)
    assert list(videos.paths()) == [str(split / "a.mp4"), str(split / "d.mp4")]
    assert videos.labels.tolist() == [1, 4]
    assert videos.left_out == ((str(split / "b.mp4"), "cut off"), (str(split / "c.mp4"), "timeout"))
    some = load_split(split, "train", num_classes=5, use_damaged=True)
    assert some.labels.tolist() == [1, 2, 4]
    assert some.left_out == ((str(split / "c.mp4"), "timeout"),)


def test_all_videos_bad(tmp_path):
    bad = ManifestRow(path="c.mp4", label=0, status="unreadable", reason="has no video stream")
    write(tmp_path / "val.csv", (bad, b""))
    with pytest.raises(ValueError, match=r"none of its 1 videos can be read.*has no video stream"):
        load_split(tmp_path, "val", num_classes=5)


def test_prefix_of_a_manifest(split):
    (split / "moved").mkdir()
    (split / "train.csv").rename(split / "moved" / "train.csv")
    with pytest.raises(FileNotFoundError, match=r"DATA\.PATH_PREFIX"):
        load_split(split / "moved", "train", num_classes=5)
    videos = load_split(split / "moved", "train", num_classes=5, prefix=split)
    assert videos.path(0) == str(split / "a.mp4")
    assert videos.index(0) is None


def test_data_sets_give_the_kept_index_to_the_reader(split, monkeypatch):
    videos = load_split(split, "train", num_classes=5)
    assert [videos.index(i) for i in range(2)] == [
        read_index(split / "a.mp4"),
        read_index(split / "d.mp4"),
    ]
    seen = []
    real = video_dataset.open_video

    def open_video(path, **options):
        seen.append((Path(path).name, options["index"]))
        return real(path, **options)

    monkeypatch.setattr(video_dataset, "open_video", open_video)
    clips = CentreClips(
        videos=videos, sampling=ClipSampling(num_frames=2, stride=2), short_side=64, crop_size=64
    )
    assert clips[1].first is not None
    assert seen == [("d.mp4", read_index(split / "d.mp4"))]


@pytest.mark.parametrize("damage", ["missing", "cut", "rubbish"])
def test_without_its_indices_a_manifest_still_works(split, damage):
    file = split / "train.csv.index"
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:9] if damage == "cut" else b"x" * 9999)
    videos = load_split(split, "train", num_classes=5)
    assert videos.index(1) is None
