"""Videos encoded anew: the same frames at the same times, small, upright, whole or not at all."""

import json
import re
import time

import av
import pytest
from encoded_videos import encode, encode_sound, encode_with_text, read_number

from glore_video.data.video import reencoding
from glore_video.data.video.reencoding import Encoding, reencode, reencode_all, target_size
from glore_video.processes.records import Record
from glore_video.video import open_video, read_index

FAST = Encoding(short_side=64, gop=8, preset="ultrafast")


@pytest.mark.parametrize(
    ("width", "height", "short_side", "expected"),
    [
        (640, 360, 256, (456, 256)),  # 455.1, to the next even number
        (360, 640, 256, (256, 456)),
        (340, 256, 256, (340, 256)),
        (320, 240, 256, (320, 240)),
        (97, 65, 256, (96, 64)),
        (1920, 1080, 320, (568, 320)),  # 568.9
    ],
)
def test_sizes(width, height, short_side, expected):
    size = target_size(width, height, short_side)
    assert size == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"short_side": 255}, "short side 255: must be even"),
        ({"short_side": 0}, "short side 0"),
        ({"gop": 0}, "gop 0: must be at least 1"),
        ({"crf": 52}, "crf 52: must be in 0 .. 51"),
    ],
)
def test_encodings_that_are_none(changes, message):
    with pytest.raises(ValueError, match=message):
        Encoding(**({"short_side": 256} | changes))


IRREGULAR = [0, 1, 2, 5, 6, 9, 10, 11, 15, 16, 30, 31]


def times_of(path):
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("a.mp4", {"b_frames": 3, "gop": 250}),
        ("vfr.mkv", {"b_frames": 2, "numbers": range(12), "times": IRREGULAR}),
        ("b frames.avi", {"codec": "mpeg4", "b_frames": 2}),
        ("t.ts", {"b_frames": 2}),
        ("all keyframes.avi", {"codec": "mjpeg", "pixel_format": "yuvj420p"}),
        ("odd.mp4", {"size": (129, 193), "pixel_format": "yuv444p"}),
        ("ten bit: é.mp4", {"pixel_format": "yuv420p10le"}),
    ],
)
def test_every_frame_is_there_at_its_time(tmp_path, name, how):
    source = encode(tmp_path / name, **how)
    target = tmp_path / "out" / "x.mp4"
    reencode(str(source), target, FAST)
    expected = list(how.get("numbers", range(40)))
    with open_video(target) as video:
        assert video.num_frames == len(expected)
        frames = video.frames(range(video.num_frames)).numpy()
    if "size" not in how:
        assert [read_number(frame) for frame in frames] == expected
    assert frames.shape[1:3] == (64, 96)
    index = read_index(target)
    assert (index.codec, index.pixel_format) == ("h264", "yuv420p")
    assert index.gop_length == 8
    if name in ("a.mp4", "vfr.mkv"):
        old, new = times_of(source), times_of(target)
        assert [float(t - new[0]) for t in new] == pytest.approx(
            [float(t - old[0]) for t in old], abs=1e-3
        )
    assert [path.name for path in target.parent.iterdir()] == ["x.mp4"]


def test_rotation_is_carried_out(tmp_path):
    source = encode(tmp_path / "r.mp4", rotation=90)
    reencode(str(source), tmp_path / "x.mp4", FAST)
    with open_video(source) as old, open_video(tmp_path / "x.mp4") as new:
        assert (new.height, new.width) == (old.height, old.width) == (96, 64)
        before, after = old.frames([5]).float(), new.frames([5]).float()
    assert (before - after).abs().mean() < 12
    assert read_index(tmp_path / "x.mp4").orientation == reencoding.Orientation()


def test_hidden_frames_of_a_cut_stay_hidden(tmp_path):
    from encoded_videos import cut_by_copy

    cut = cut_by_copy(encode(tmp_path / "a.mp4", b_frames=2), tmp_path / "cut.mp4", first=5)
    reencode(str(cut), tmp_path / "x.mp4", FAST)
    with open_video(tmp_path / "x.mp4") as video:
        numbers = [read_number(frame) for frame in video.frames(range(video.num_frames)).numpy()]
    assert numbers == list(range(5, 40))


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_text_that_is_not_utf_8_stops_nothing(tmp_path, name):
    source = encode_with_text(tmp_path / name, "Café".encode("latin-1"))
    reencode(str(source), tmp_path / "x.mp4", FAST)
    assert read_index(tmp_path / "x.mp4").num_frames == 5


def test_a_playlist_is_not_followed(tmp_path):
    encode(tmp_path / "secret.mp4", numbers=range(3))
    playlist = tmp_path / "list.mp4"
    playlist.write_text("ffconcat version 1.0\nfile secret.mp4\n")
    (failure,) = reencode_all(
        {str(playlist): tmp_path / "out" / "x.mp4"}, FAST, tmp_path / "out", processes=1, seconds=60
    )
    assert failure[0] == str(playlist)


def cut_off(path):
    encode(path, gop=40, container_options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def test_what_can_not_be_read_leaves_nothing(tmp_path):
    sources = [cut_off(tmp_path / "cut.mp4"), encode_sound(tmp_path / "sound.mp4")]
    for name, content in (("empty.mp4", b""), ("text.mp4", b"no video")):
        (tmp_path / name).write_bytes(content)
        sources.append(tmp_path / name)
    sources.append(tmp_path / "missing.mp4")
    good = encode(tmp_path / "good.mp4", numbers=range(9))
    out = tmp_path / "out"
    files = {str(path): out / path.name for path in [*sources, good]}
    failures = reencode_all(files, FAST, out, processes=2, seconds=60)
    assert sorted(path for path, _ in failures) == sorted(str(path) for path in sources)
    assert all(reason for _, reason in failures)
    assert sorted(path.name for path in out.iterdir()) == ["encoding.json", "good.mp4"]


def test_goes_on_where_it_was_stopped_but_never_with_another_encoding(tmp_path, monkeypatch):
    files = {}
    for number in range(3):
        source = encode(tmp_path / f"{number}.mp4", numbers=range(5))
        files[str(source)] = tmp_path / "out" / source.name
    real = reencoding.map_killable

    def interrupted(*arguments, **options):
        yield next(real(*arguments, **options))
        raise KeyboardInterrupt

    monkeypatch.setattr(reencoding, "map_killable", interrupted)
    with pytest.raises(KeyboardInterrupt):
        reencode_all(files, FAST, tmp_path / "out", processes=1, seconds=60)
    first = (tmp_path / "out" / "0.mp4").stat().st_mtime_ns
    monkeypatch.setattr(reencoding, "map_killable", real)
    assert reencode_all(files, FAST, tmp_path / "out", processes=1, seconds=60) == []
    assert (tmp_path / "out" / "0.mp4").stat().st_mtime_ns == first
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "0.mp4",
        "1.mp4",
        "2.mp4",
        "encoding.json",
    ]
    assert json.loads((tmp_path / "out" / "encoding.json").read_text())["gop"] == 8
    with pytest.raises(ValueError, match="out: made with another encoding"):
        reencode_all(files, Encoding(short_side=64), tmp_path / "out", processes=1, seconds=60)


def test_hanging_decoder_leaves_nothing(tmp_path, monkeypatch):
    def hang(*_):
        (tmp_path / "out" / ".a.mp4.partial").write_text("half")
        time.sleep(3600)

    monkeypatch.setattr(reencoding, "reencode", hang)
    files = {str(tmp_path / "a.mp4"): tmp_path / "out" / "a.mp4"}
    (failure,) = reencode_all(files, FAST, tmp_path / "out", processes=1, seconds=0.3)
    assert failure == (str(tmp_path / "a.mp4"), "encoding takes more than 0.3 s")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["encoding.json"]


@pytest.mark.parametrize("kind", [TypeError, NameError, KeyError])
def test_a_fault_of_the_code_stops_it_at_once_and_names_the_video(tmp_path, monkeypatch, kind):
    def fail(source, target, encoding):
        if source.endswith("hangs.mp4"):
            time.sleep(3600)
        raise kind("odd")

    monkeypatch.setattr(reencoding, "reencode", fail)
    files = {str(tmp_path / name): tmp_path / "out" / name for name in ("hangs.mp4", "a.mp4")}
    start = time.monotonic()
    with pytest.raises(kind, match="odd") as caught:
        reencode_all(files, FAST, tmp_path / "out", processes=2, seconds=600)
    assert time.monotonic() - start < 10
    assert Record.of(caught.value).sample == str(tmp_path / "a.mp4")


@pytest.mark.parametrize("kind", [ValueError, ZeroDivisionError, av.error.UndefinedError])
def test_what_a_strange_file_raises_costs_one_video(tmp_path, monkeypatch, kind):
    def fail(*_):
        raise kind(1, "odd") if kind is av.error.UndefinedError else kind("odd")

    monkeypatch.setattr(reencoding, "reencode", fail)
    files = {str(tmp_path / "a.mp4"): tmp_path / "out" / "a.mp4"}
    ((path, reason),) = reencode_all(files, FAST, tmp_path / "out", processes=1, seconds=60)
    assert path == str(tmp_path / "a.mp4")
    assert "odd" in reason


def test_a_full_disk_stops_it(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    source = encode(tmp_path / "a.mp4", numbers=[0])
    monkeypatch.setattr(reencoding, "reencode", full)
    with pytest.raises(OSError, match=re.escape("No space left")):
        reencode_all(
            {str(source): tmp_path / "out" / "a.mp4"},
            FAST,
            tmp_path / "out",
            processes=1,
            seconds=9,
        )
