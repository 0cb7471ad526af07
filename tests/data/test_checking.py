"""Whole checks of folders and lists of real and broken files."""

import os
import time
from contextlib import closing

import pytest
from av.error import UndefinedError
from encoded_videos import encode, encode_sound

from glore_video.data.check_sources import list_samples
from glore_video.data.video import checking
from glore_video.data.video.checking import check_video, check_videos, summary_lines
from glore_video.data.video.manifest import ManifestRow, read_rows
from glore_video.data.video.splits import load_split
from glore_video.data.video.video_files import VIDEOS
from glore_video.processes.records import Record
from glore_video.video import VideoIndex, read_index

LIMITS = {"processes": 2, "seconds": 30.0}


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """Videos of every fate, to be linked to from each test's own folder."""
    root = tmp_path_factory.mktemp("files")
    encode(root / "fine.mp4", numbers=range(40), gop=12, b_frames=2, rate=25)
    encode(root / "one frame.avi", "mpeg4", numbers=[3])
    index_first = {"movflags": "faststart"}
    cut = encode(root / "cut off.mp4", numbers=range(40), gop=40, container_options=index_first)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    (root / "empty.mp4").touch()
    (root / "text.mp4").write_text("no video\n")
    encode_sound(root / "sound.mp4")
    return root


@pytest.fixture
def folder(files, tmp_path):
    for path in files.iterdir():
        os.link(path, tmp_path / path.name)
    return tmp_path


def statuses(rows):
    return {row.path: row.status for row in rows}


def test_a_list_with_files_of_every_fate(folder):
    names = ["fine.mp4", "cut off.mp4", "empty.mp4", "nowhere é.mp4", "text.mp4", "sound.mp4"]
    lines = [f"{name} {label}\n" for label, name in enumerate(names)]
    (folder / "list.csv").write_text("".join([*lines, "one frame.avi 9\n", "fine.mp4 0\n"]))
    manifest = folder / "train.csv"
    rows = check_videos(list_samples(VIDEOS, folder / "list.csv", manifest), manifest, **LIMITS)
    assert [(row.path, row.label, row.status) for row in rows] == [
        ("fine.mp4", 0, "ok"),
        ("cut off.mp4", 1, "damaged"),
        ("empty.mp4", 2, "unreadable"),
        ("nowhere é.mp4", 3, "missing"),
        ("text.mp4", 4, "unreadable"),
        ("sound.mp4", 5, "unreadable"),
        ("one frame.avi", 9, "ok"),
        ("fine.mp4", 0, "ok"),
    ]
    fine, cut = rows[0], rows[1]
    assert (fine.frames, fine.fps, fine.width, fine.height) == (40, 25.0, 96, 64)
    assert (fine.codec, fine.gop, fine.duration) == ("h264", 12, 1.6)
    assert (fine.size, fine.reason) == ((folder / "fine.mp4").stat().st_size, "")
    assert 1 <= cut.frames < 40
    assert cut.reason
    assert rows[2].reason == "the file is empty"
    assert rows[3].reason == "no such file"
    assert rows[5].reason == "has no video stream"
    assert [(r.path, r.label, r.status, r.reason) for r in read_rows(manifest)] == [
        (r.path, r.label, r.status, r.reason) for r in rows
    ]
    videos = load_split(folder, "train", num_classes=10)
    assert videos.labels.tolist() == [0, 9, 0]
    index = videos.index(0)
    assert index == videos.index(2) == read_index(folder / "fine.mp4", decode=True)
    assert isinstance(index, VideoIndex)
    assert index.decoded


def check_that_counts(path):
    """Notes each call in a file beside the video, since it runs in another process."""
    with open(os.path.join(os.path.dirname(path), "calls"), "a") as file:
        file.write(os.path.basename(path) + "\n")
    name = os.path.basename(path)
    if name.startswith("hang"):
        time.sleep(3600)
    if name.startswith("crash"):
        os._exit(1)
    return {"status": "ok", "frames": 1}, name.encode()


def calls(folder):
    file = folder / "calls"
    names = sorted(file.read_text().split()) if file.exists() else []
    file.unlink(missing_ok=True)
    return names


def run(folder, **changes):
    manifest = folder / "m.csv"
    listing = list_samples(VIDEOS, folder, manifest)
    settings = {"processes": 2, "seconds": 30.0, "check": check_that_counts}
    return check_videos(listing, manifest, **(settings | changes))


def test_hanging_and_crashing_decoders_cost_one_video(tmp_path):
    for name in ("a.mp4", "hangs.mp4", "crashes.mp4", "z.mp4"):
        (tmp_path / name).write_text(name)
    rows = {row.path: row for row in run(tmp_path, seconds=4)}  # the others' too, on a busy machine
    assert statuses(rows.values()) == {
        "a.mp4": "ok",
        "hangs.mp4": "timeout",
        "crashes.mp4": "unreadable",
        "z.mp4": "ok",
    }
    assert rows["hangs.mp4"].reason == "decoding all of it takes more than 4 s"
    assert rows["crashes.mp4"].reason == "its decoder crashed (exit status 1)"


def test_only_new_and_changed_files_are_decoded_again(tmp_path):
    for name in "abc":
        (tmp_path / f"{name}.mp4").write_text(name)
    run(tmp_path)
    assert calls(tmp_path) == ["a.mp4", "b.mp4", "c.mp4"]
    run(tmp_path)
    assert calls(tmp_path) == []
    (tmp_path / "a.mp4").write_text("longer")
    status = (tmp_path / "b.mp4").stat()
    os.utime(tmp_path / "b.mp4", ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    (tmp_path / "crashes.mp4").touch()
    (tmp_path / "c.mp4").unlink()
    expected = {"a.mp4": "ok", "b.mp4": "ok", "crashes.mp4": "unreadable"}
    assert statuses(run(tmp_path)) == expected
    assert calls(tmp_path) == ["a.mp4", "b.mp4", "crashes.mp4"]
    run(tmp_path)
    assert calls(tmp_path) == []
    run(tmp_path, check_bad_again=True)
    assert calls(tmp_path) == ["crashes.mp4"]


def test_what_an_earlier_version_kept_is_found_out_again(tmp_path):
    """Its frame rates were the container's."""
    for name in ("a", "b"):
        encode(tmp_path / f"{name}.mp4", numbers=range(6))
    (tmp_path / "l.csv").write_text("a.mp4 0\nb.mp4 1\nmissing.mp4 1\n")
    manifest = tmp_path / "m.csv"
    listing = list_samples(VIDEOS, tmp_path / "l.csv", manifest)
    rows = check_videos(listing, manifest, processes=1, seconds=60)
    kept = manifest.with_name("m.csv.index")
    new = kept.read_bytes()
    kept.write_bytes(new.replace(b"GVX2", b"GVX1"))
    old = manifest.read_text().replace(",30.0,", ",1000.0,")
    manifest.write_text(old)
    assert check_videos(listing, manifest, processes=1, seconds=60) == rows
    assert kept.read_bytes() == new
    assert [row.fps for row in rows] == [30.0, 30.0, 0.0]


def test_a_stopped_check_goes_on(tmp_path, monkeypatch):
    for number in range(6):
        (tmp_path / f"{number}.mp4").write_text(str(number))
    real = checking.map_killable

    def interrupted(*arguments, **options):
        with closing(real(*arguments, **options)) as outcomes:  # its processes hold the lock
            for count, outcome in enumerate(outcomes):
                if count == 3:
                    raise KeyboardInterrupt
                yield outcome

    monkeypatch.setattr(checking, "map_killable", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, processes=1)
    assert not (tmp_path / "m.csv").exists()
    assert calls(tmp_path) == ["0.mp4", "1.mp4", "2.mp4", "3.mp4"]
    monkeypatch.setattr(checking, "map_killable", real)
    assert len(run(tmp_path, processes=1)) == 6
    assert calls(tmp_path) == ["3.mp4", "4.mp4", "5.mp4"]
    kept = (tmp_path / "m.csv.index").read_bytes()
    assert kept == b"".join(f"{n}.mp4".encode() for n in range(6))


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_class_folders_and_paths_outside(tmp_path):
    for name in ("b/1.mp4", "a c/2.AVI", "a c/notes.txt", "b/.3.mp4"):
        touch(tmp_path / "videos" / name)
    inside = list_samples(VIDEOS, tmp_path / "videos", tmp_path / "m.csv")
    assert inside.samples == (("videos/a c/2.AVI", 0), ("videos/b/1.mp4", 1))
    assert inside.file("videos/b/1.mp4") == str(tmp_path / "videos" / "b" / "1.mp4")
    outside = list_samples(VIDEOS, tmp_path / "videos", tmp_path / "other" / "m.csv")
    assert outside.samples[1] == (str(tmp_path / "videos" / "b" / "1.mp4"), 1)


def test_list_with_prefix_keeps_its_paths(tmp_path):
    (tmp_path / "l").mkdir()
    (tmp_path / "l" / "list.csv").write_text(f"a b.mp4;3\n{tmp_path}/x/y.mp4;4\n")
    listing = list_samples(
        VIDEOS,
        tmp_path / "l" / "list.csv",
        tmp_path / "m.csv",
        prefix=str(tmp_path / "v"),
        separator=";",
    )
    assert listing.samples == (("a b.mp4", 3), (str(tmp_path / "x" / "y.mp4"), 4))
    assert listing.file("a b.mp4") == str(tmp_path / "v" / "a b.mp4")


def test_a_manifest_is_a_list_too(folder):
    (folder / "list.csv").write_text("fine.mp4 1\n")
    manifest = folder / "train.csv"
    check_videos(list_samples(VIDEOS, folder / "list.csv", manifest), manifest, **LIMITS)
    assert list_samples(VIDEOS, manifest, manifest).samples == (("fine.mp4", 1),)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda p: None, FileNotFoundError, "source: no such list or folder"),
        (lambda p: p.mkdir(), ValueError, "source: no videos in it"),
        (lambda p: p.write_text(""), ValueError, "source: no videos in it"),
        (lambda p: p.write_text("a.mp4\n"), ValueError, "source:1: 'a.mp4'"),
        (lambda p: p.write_bytes(b"\xff\xfe\x00\x80"), ValueError, "not a text file"),
        (
            lambda p: p.write_text("label,youtube_id,time_start,time_end,split\n"),
            ValueError,
            "annotation file of Kinetics; glore-video prepare-kinetics",
        ),
    ],
)
def test_sources_that_are_none(tmp_path, make, error, message):
    make(tmp_path / "source")
    with pytest.raises(error, match=message):
        list_samples(VIDEOS, tmp_path / "source", tmp_path / "m.csv")


@pytest.mark.parametrize("changes", [{"processes": 0}, {"seconds": 0}])
def test_limits_must_be_above_zero(tmp_path, changes):
    touch(tmp_path / "a.mp4")
    with pytest.raises(ValueError, match="must be"):
        run(tmp_path, **changes)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ZeroDivisionError("of its rate"), "ZeroDivisionError: of its rate"),
        (OSError(5, "Input/output error"), "OSError: [Errno 5] Input/output error"),
        (MemoryError("too large"), "MemoryError: too large"),
        (UndefinedError(1, "odd"), "UndefinedError: [Errno 1] odd"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_a_strange_file_raises_is_one_unreadable_video(monkeypatch, error, reason):
    def fail(path, **options):
        raise error

    monkeypatch.setattr(checking, "read_index", fail)
    assert check_video("x") == ({"status": "unreadable", "reason": reason}, b"")


@pytest.mark.parametrize("kind", [TypeError, AttributeError, ImportError, AssertionError, KeyError])
def test_a_fault_of_the_code_stops_the_check_and_names_the_video(folder, monkeypatch, kind):
    def fail(path, **options):
        raise kind("odd")

    monkeypatch.setattr(checking, "read_index", fail)
    with pytest.raises(kind, match="odd") as caught:
        run(folder, check=check_video, seconds=30)
    assert Record.of(caught.value).sample in [str(path) for path in folder.iterdir()]
    assert "in fail" in str(caught.value.__cause__)


def test_summary():
    rows = [
        ManifestRow(path="a", status="ok", duration=1800.0, size=3 * 10**9),
        ManifestRow(path="b", status="ok", duration=1800.0),
        ManifestRow(path="c", status="damaged", reason="cut off", duration=3600.0),
        *(ManifestRow(path=f"d{n}", status="missing", reason="no such file") for n in range(5)),
    ]
    assert summary_lines(rows, examples=2) == [
        "fine                2   25.00%",
        "damaged             1   12.50%",
        "unreadable          0    0.00%",
        "missing             5   62.50%",
        "all                 8           2.0 h, 3.00 GB",
        "  c: cut off",
        "  d0: no such file",
        "  and 4 more; the manifest names them",
    ]
    assert (
        summary_lines([ManifestRow(path="a", status="timeout")])[4]
        == "too slow            1  100.00%"
    )
