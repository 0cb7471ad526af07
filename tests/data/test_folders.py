"""What systems and programs leave in folders is never a class, a video or a picture, anywhere."""

import errno
import os
import re
from functools import partial

import pytest
from encoded_videos import encode

from glore_video.data.check_sources import list_samples
from glore_video.data.class_folders import class_folders
from glore_video.data.class_lists import load_class_names
from glore_video.data.folders import LeftOut, listed, samples_below
from glore_video.data.system_files import is_hidden
from glore_video.data.video.checking import check_videos
from glore_video.data.video.kinetics_coverage import find_video_files
from glore_video.data.video.kinetics_lists import prepare_kinetics
from glore_video.data.video.splits import load_split
from glore_video.data.video.video_files import VIDEOS
from glore_video.prediction.folder import files_below

FILES = [
    ".DS_Store",
    "._1.mp4",
    ".hidden.mp4",
    "Thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "notes.txt",
    "1.mp4.part",
    "mp4",
]
FOLDERS = [
    ".ipynb_checkpoints",
    ".Trash-1000",
    ".git",
    "__MACOSX",
    "@eaDir",
    "@Recycle",
    "#recycle",
    "$RECYCLE.BIN",
    "System Volume Information",
    "lost+found",
    "empty",
    "without videos",
]


videos_to_predict = partial(files_below, VIDEOS)


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def litter(folder):
    """Every kind of rubbish in a folder, with something like a video in each hidden one."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        touch(folder / name)
    for name in FOLDERS:
        (folder / name).mkdir()
        if is_hidden(name):
            touch(folder / name / "1.mp4")
            touch(folder / name / "ape" / "1.mp4")
    touch(folder / "without videos" / "read me.txt")


@pytest.fixture
def root(tmp_path):
    """Splits of two classes with rubbish everywhere; val lacks the first one's videos."""
    root = tmp_path / "dätä set"
    for name in ("train/ape é/1.mp4", "train/bee/1.webm", "train/bee/deeper/2.ogv"):
        touch(root / name)
    touch(root / "val" / "bee" / "3.MP4")
    (root / "val" / "ape é").mkdir()
    for folder in ("", "train", "train/ape é", "train/bee/deeper", "val", "val/bee"):
        litter(root / folder)
    return root


def relative(paths, root):
    return [os.path.relpath(path, root) for path in paths]


def test_class_folders(root):
    assert class_folders(VIDEOS, root / "train") == ("ape é", "bee")
    train, val = (load_split(root, split, num_classes=2) for split in ("train", "val"))
    assert relative([train.path(i) for i in range(len(train))], root) == [
        "train/ape é/1.mp4",
        "train/bee/1.webm",
        "train/bee/deeper/2.ogv",
    ]
    assert train.labels.tolist() == [0, 1, 1]
    assert relative([val.path(i) for i in range(len(val))], root) == ["val/bee/3.MP4"]
    assert val.labels.tolist() == [1]
    assert load_class_names(VIDEOS, root, num_classes=2) == ("ape é", "bee")


def test_folder_prediction(root):
    expected = ["ape é/1.mp4", "bee/1.webm", "bee/deeper/2.ogv"]
    assert relative(videos_to_predict(root / "train"), root / "train") == expected


def test_checking(root):
    listing = list_samples(VIDEOS, root / "train", root / "m.csv")
    assert listing.samples == (
        ("train/ape é/1.mp4", 0),
        ("train/bee/1.webm", 1),
        ("train/bee/deeper/2.ogv", 1),
    )


def test_preparing_kinetics(root, tmp_path):
    assert list(find_video_files(root)) == ["1", "2", "3"]
    annotations = tmp_path / "train.csv"
    annotations.write_text("label,youtube_id,time_start,time_end\nape,1,0,10\nbee,2,0,10\n")
    prepared = prepare_kinetics({"train": annotations}, root, tmp_path / "out")
    assert prepared.listed == {"train": 2}
    assert "/." not in (tmp_path / "out" / "train.csv").read_text()


@pytest.mark.parametrize("name", [name for name in FOLDERS if is_hidden(name)])
def test_a_hidden_folder_alone_holds_nothing(tmp_path, name):
    touch(tmp_path / name / "ape" / "1.mp4")
    assert list(samples_below(VIDEOS, tmp_path)) == []
    assert class_folders(VIDEOS, tmp_path) == ()
    for call in (videos_to_predict, find_video_files):
        with pytest.raises(ValueError, match="no videos in it"):
            call(tmp_path)
    with pytest.raises(ValueError, match="no videos in it"):
        list_samples(VIDEOS, tmp_path, tmp_path / "m.csv")


@pytest.fixture
def linked(tmp_path):
    """Two classes, whose other videos lie on "another disk"; links of every kind."""
    disk, train = tmp_path / "disk", tmp_path / "data" / "train"
    for name in ("cats/9.mp4", "more apes/deep/8.mp4", "one.mp4"):
        touch(disk / name)
    for name in ("ape/1.mp4", "ape/sub/2.mp4", "bee/3.mp4"):
        touch(train / name)
    links = {
        "cat": disk / "cats",
        "ape/more": disk / "more apes",
        "ape/one.mp4": disk / "one.mp4",
        "ape/all": train,  # holds the link
        "ape/itself": train / "ape",
        "ape/another": train / "bee",  # a class of its own
        "ape/again": train / "ape" / "sub",
        "bee/loop": train / "bee" / "loop",
        "gone": disk / "gone",
        "up": tmp_path / "data",
    }
    for name, target in links.items():
        os.symlink(target, train / name)
    os.symlink(disk / "more apes", disk / "more apes" / "deep" / "back")
    return tmp_path / "data"


LINKED = ["ape/1.mp4", "ape/one.mp4", "ape/sub/2.mp4", "ape/more/deep/8.mp4"]


def test_links_are_followed_once_and_loops_are_not(linked):
    train = load_split(linked, "train", num_classes=3)
    found = relative([train.path(i) for i in range(len(train))], linked / "train")
    assert found == [*LINKED, "bee/3.mp4", "cat/9.mp4"]
    assert train.labels.tolist() == [0, 0, 0, 0, 1, 2]
    listing = list_samples(VIDEOS, linked / "train", linked / "m.csv")
    assert [path for path, _ in listing.samples] == [f"train/{path}" for path in found]
    assert [label for _, label in listing.samples] == [0, 0, 0, 0, 1, 2]
    (note,) = train.notes
    assert listing.notes[0] == note
    assert note == (
        f"{linked / 'train'}: not taken: links that lead nowhere (2: gone, ...), links back to a "
        "folder they lie in (4: up, ...), second ways to a folder (2: ape/again, ...)"
    )


def test_links_are_followed_in_prediction_and_by_kinetics(linked):
    expected = [*LINKED, "bee/3.mp4", "cat/9.mp4"]
    found = relative(videos_to_predict(linked / "train"), linked / "train")
    assert sorted(found) == sorted(expected)
    assert sorted(find_video_files(linked / "train")) == ["1", "2", "3", "8", "9", "one"]


def test_one_folder_under_two_names_is_no_two_classes(tmp_path):
    touch(tmp_path / "train" / "ape" / "1.mp4")
    os.symlink("ape", tmp_path / "train" / "bee")
    message = "train: the class folders ape and bee are one and the same, by a link"
    with pytest.raises(ValueError, match=message):
        load_split(tmp_path, "train", num_classes=2)


def test_names_that_look_alike_are_no_two_classes(tmp_path):
    touch(tmp_path / "train" / "caf\u00e9" / "1.mp4")
    touch(tmp_path / "train" / "cafe\u0301" / "2.mp4")
    message = r"'cafe\u0301' and 'caf\xe9' bear the same name in two Unicode forms"
    with pytest.raises(ValueError, match=re.escape(message)):
        load_split(tmp_path, "train", num_classes=2)


def test_a_class_is_the_same_in_either_unicode_form(tmp_path):
    for name in ("train/bee/1.mp4", "train/caf\u00e9/1.mp4", "val/cafe\u0301/2.mp4"):
        touch(tmp_path / name)
    assert load_split(tmp_path, "val", num_classes=2).labels.tolist() == [1]
    assert load_class_names(VIDEOS, tmp_path, num_classes=2) == ("bee", "caf\u00e9")
    (tmp_path / "class_names.txt").write_text("cafe\u0301\nbee\n", encoding="utf-8")
    assert load_split(tmp_path, "val", num_classes=2).labels.tolist() == [0]
    assert load_split(tmp_path, "train", num_classes=2).labels.tolist() == [1, 0]


def test_paths_in_the_other_unicode_form_are_said_to_be(tmp_path):
    touch(tmp_path / "cafe\u0301.mp4")
    (tmp_path / "train.csv").write_text("caf\u00e9.mp4 0\n", encoding="utf-8")
    message = "its letters in another Unicode form, NFD, are those of a file that is there"
    with pytest.raises(FileNotFoundError, match=message):
        load_split(tmp_path, "train", num_classes=1)
    listing = list_samples(VIDEOS, tmp_path / "train.csv", tmp_path / "m.csv")
    (row,) = check_videos(listing, tmp_path / "m.csv", processes=1, seconds=9)
    assert row.reason == f"no such file ({message})"


def test_what_is_passed_over_is_counted_and_named(tmp_path, caplog):
    root = tmp_path / "train"
    names = ["ape/1.mp4", "ape/2.mp4v2", "ape/b/3.mp4v2", "ape/x.txt", "ape/none", "ape/.DS_Store"]
    for name in [*names, "ape/@eaDir/1.mp4", "dog/read me.txt", "stray.mp4"]:
        touch(root / name)
    (root / "ape" / "nothing").mkdir()
    os.symlink("gone", root / "cat")
    expected = (
        f"{root}: not taken: links that lead nowhere (1: cat), videos in no class folder (1: "
        "stray.mp4), hidden or of a system (2: ape/@eaDir, ...), .mp4v2 (2: ape/2.mp4v2, ...), "
        "no suffix (1: ape/none), .txt (2: ape/x.txt, ...), empty folders (1: ape/nothing), folders "
        "without videos (1: dog)"
    )
    videos = load_split(tmp_path, "train", num_classes=1)
    assert videos.notes == (expected,)
    listing = list_samples(VIDEOS, root, tmp_path / "m.csv")
    without_stray = expected.replace("videos in no class folder (1: stray.mp4), ", "")
    assert listing.notes == (without_stray, f"labels, those of {root}: 0 ape")
    videos_to_predict(root)
    assert ".mp4v2 (2: ape/2.mp4v2, ...)" in caplog.text


def test_only_what_is_passed_over_is_named_where_nothing_is_left(tmp_path):
    touch(tmp_path / "1.mp4v2")
    for call in (
        videos_to_predict,
        find_video_files,
        lambda p: list_samples(VIDEOS, p, p / "m.csv"),
    ):
        with pytest.raises(
            ValueError, match=r"no videos in it.*: not taken: \.mp4v2 \(1: 1\.mp4v2"
        ):
            call(tmp_path)


def test_folders_that_can_not_be_read_are_named(tmp_path, monkeypatch):
    """As for anybody but the superuser, whom no folder refuses."""
    touch(tmp_path / "ape" / "1.mp4")
    touch(tmp_path / "ape" / "secret" / "2.mp4")
    real = os.scandir

    def scandir(path):
        if os.path.basename(path) == "secret":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    left_out = LeftOut()
    assert relative(samples_below(VIDEOS, tmp_path, left_out), tmp_path) == ["ape/1.mp4"]
    (note,) = left_out.notes(tmp_path)
    words = f"folders that can't be read ({os.strerror(errno.EACCES)}) (1: ape/secret)"
    assert note == f"{tmp_path}: not taken: {words}"


def test_another_number_of_classes_is_explained(root):
    touch(root / "val" / "cat" / "1.mp4")
    message = (
        "train: 2 class folders, but MODEL.NUM_CLASSES = 4: ape é, bee; "
        "in train/ there are no videos in empty (empty), without videos (1 .txt); "
        "in val/ there are no videos in ape é (empty), empty (empty), without videos (1 .txt); "
        "val/ has cat as well; val/ lacks ape é"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        load_split(root, "train", num_classes=4)


def test_many_names_are_cut_short():
    assert listed(["a", "b"]) == "a, b"
    assert listed([f"class {number}" for number in range(100)], most=2) == (
        "class 0, class 1 and 98 more"
    )


def test_checking_a_split_numbers_its_classes_as_training_does(root):
    listing = list_samples(VIDEOS, root / "val", root / "val.csv")
    assert listing.samples == (("val/bee/3.MP4", 1),)
    touch(root / "val" / "cat" / "1.mp4")
    with pytest.raises(
        ValueError,
        match="val: cat: not among the classes of .*/train, ape é, bee",
    ):
        list_samples(VIDEOS, root / "val", root / "val.csv")


@pytest.mark.parametrize("beside", ["", "extra"], ids=["alone", "beside another folder"])
def test_splits_are_not_classes(root, beside):
    touch(root / beside / "1.mp4")
    with pytest.raises(
        ValueError, match="holds splits, not classes: check each by itself, .*/train"
    ):
        list_samples(VIDEOS, root, root / "m.csv")


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        ("train/bee/1.webm 0\ntrain/ape é/1.mp4 1\n", ("bee", "ape é")),  # the list's labels count
        ("train/bee/1.webm 0\ntrain/bee/2.webm 1\n", ("class 0", "class 1")),
        ("elsewhere/1.webm 0\ntrain/ape é/1.mp4 1\n", ("class 0", "class 1")),
    ],
    ids=["another order", "one folder twice", "another folder"],
)
def test_names_of_a_list_beside_class_folders(root, lines, names):
    (root / "train.csv").write_text(lines, encoding="utf-8")
    assert load_class_names(VIDEOS, root, num_classes=2) == names


def test_kinetics_files_of_several_kinds(tmp_path):
    rows = ["abseiling,a,0,10,val", "abseiling,b,0,10,val", "abseiling,gone,0,10,val"]
    text = "\n".join(["label,youtube_id,time_start,time_end,split", *rows, ""])
    (tmp_path / "val.csv").write_text(text)
    for name in ("a_000000_000010.mkv", "b_000000_000010.webm", "._a_000000_000010.mp4"):
        touch(tmp_path / "val" / "abseiling" / name)
    videos = load_split(tmp_path, "val", num_classes=400)
    assert relative([videos.path(i) for i in range(3)], tmp_path / "val" / "abseiling") == [
        "a_000000_000010.mkv",
        "b_000000_000010.webm",
        "gone_000000_000010.mp4",
    ]


@pytest.mark.parametrize(
    ("suffix", "how"),
    [
        (".vob", {"codec": "mpeg2video", "container_format": "vob"}),
        (".m2ts", {"container_format": "mpegts"}),
        (".asf", {"codec": "mpeg4", "container_format": "asf"}),
        (".mxf", {"codec": "mpeg2video", "container_format": "mxf"}),
        (".nut", {"codec": "mpeg4", "container_format": "nut"}),
        (".264", {"container_format": "h264"}),
        (".h264", {"container_format": "h264"}),
        (".mpeg4", {"codec": "mpeg4", "container_format": "mp4"}),
        ("", {"container_format": "mp4"}),
        ("", {"codec": "mpeg4", "container_format": "avi"}),
        ("", {"codec": "mpeg4", "container_format": "matroska"}),
        ("", {"codec": "mpeg2video", "container_format": "mpegts"}),
        ("", {"codec": "mpeg2video", "container_format": "vob"}),
        ("", {"codec": "mpeg1video", "container_format": "mpeg1video"}),
        ("", {"codec": "mpeg4", "container_format": "asf"}),
        ("", {"codec": "flv", "container_format": "flv"}),
    ],
    ids=lambda value: value if isinstance(value, str) else value["container_format"],
)
def test_other_endings_are_found_and_read(tmp_path, suffix, how):
    from glore_video.video import open_video

    (tmp_path / "ape").mkdir()
    encode(tmp_path / "ape" / f"1{suffix}", rate=25, **how)
    (path,) = samples_below(VIDEOS, tmp_path)
    with open_video(path) as video:
        assert video.frames([3]).shape == (1, 64, 96, 3)
