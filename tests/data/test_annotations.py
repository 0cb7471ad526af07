"""List files, class folders and Kinetics' own annotation files."""

import re

import pytest

from glore_video.data.class_lists import load_class_names
from glore_video.data.video.kinetics import kinetics400_class_names
from glore_video.data.video.splits import load_split
from glore_video.data.video.video_files import VIDEOS


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_list_with_spaces_accents_and_absolute_paths(tmp_path):
    absolute = touch(tmp_path / "elsewhere" / "x.mp4")
    lines = f"videos/arm wrestling é.mp4 6\n\n{absolute} 0\nvideos/b.avi 3\n"
    (tmp_path / "train.csv").write_text(lines, encoding="utf-8")
    touch(tmp_path / "videos" / "b.avi")
    videos = load_split(tmp_path, "train", num_classes=7)
    assert [videos.path(i) for i in range(len(videos))] == [
        str(tmp_path / "videos" / "arm wrestling é.mp4"),
        str(absolute),
        str(tmp_path / "videos" / "b.avi"),
    ]
    assert videos.labels.tolist() == [6, 0, 3]


def test_prefix_and_separator(tmp_path):
    (tmp_path / "val.csv").write_text("a,b.mp4,1\n")
    touch(tmp_path / "v" / "a,b.mp4")
    videos = load_split(tmp_path, "val", num_classes=2, prefix=tmp_path / "v", separator=",")
    assert videos.path(0) == str(tmp_path / "v" / "a,b.mp4")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a.mp4 0\nb.mp4 400\n",
            "val.csv:2: label 400 is not in 0 .. 399 (MODEL.NUM_CLASSES = 400)",
        ),
        ("a.mp4 -1\n", "val.csv:1: label -1"),
        ("a.mp4 x\n", "val.csv:1: label 'x' is not a whole number"),
        ("a.mp4\n", "val.csv:1: 'a.mp4': a path and a label"),
        ("", "val.csv: no videos in it"),
    ],
)
def test_bad_lists_name_the_line(tmp_path, text, message):
    (tmp_path / "val.csv").write_text(text)
    touch(tmp_path / "a.mp4")
    with pytest.raises(ValueError, match=re.escape(message)):
        load_split(tmp_path, "val", num_classes=400)


def test_binary_list(tmp_path):
    (tmp_path / "val.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="not a text file"):
        load_split(tmp_path, "val", num_classes=400)


def test_missing_list_says_what_is_needed(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"train\.csv: no such list .*labels? from 0 to 399"
    ):
        load_split(tmp_path, "train", num_classes=400)


def test_list_of_absent_videos_points_at_the_prefix(tmp_path):
    (tmp_path / "val.csv").write_text("a.mp4 0\nb.mp4 1\n")
    with pytest.raises(FileNotFoundError, match=r"none of its first 2 videos.*DATA.PATH_PREFIX"):
        load_split(tmp_path, "val", num_classes=400)


def test_class_folders(tmp_path):
    for name in ("train/b/2.mp4", "train/b/1.AVI", "train/a c/x.mkv", "val/b/3.mp4"):
        touch(tmp_path / name)
    touch(tmp_path / "train" / "b" / "notes.txt")
    train = load_split(tmp_path, "train", num_classes=2)
    assert [train.path(i).rsplit("/", 2)[1:] for i in range(3)] == [
        ["a c", "x.mkv"],
        ["b", "1.AVI"],
        ["b", "2.mp4"],
    ]
    assert train.labels.tolist() == [0, 1, 1]
    assert load_split(tmp_path, "val", num_classes=2).labels.tolist() == [1]
    assert load_class_names(VIDEOS, tmp_path, num_classes=2) == ("a c", "b")
    with pytest.raises(ValueError, match="2 class folders, but MODEL.NUM_CLASSES = 3"):
        load_split(tmp_path, "train", num_classes=3)


def test_class_folder_that_training_does_not_have(tmp_path):
    touch(tmp_path / "train" / "a" / "1.mp4")
    touch(tmp_path / "val" / "z" / "1.mp4")
    with pytest.raises(ValueError, match="val: z: not among the classes of .*/train, a"):
        load_split(tmp_path, "val", num_classes=1)


def test_empty_class_folders(tmp_path):
    (tmp_path / "test" / "a").mkdir(parents=True)
    with pytest.raises(ValueError, match="no videos in it"):
        load_split(tmp_path, "test", num_classes=1)


@pytest.mark.parametrize(
    "layout", ["{name}", "arm wrestling/{name}", "arm_wrestling/{name}", "val/{name}"]
)
def test_kinetics_annotation_file(tmp_path, layout):
    (tmp_path / "val.csv").write_text(
        "label,youtube_id,time_start,time_end,split\narm wrestling,-_aB3,7,17,validate\n"
    )
    video = touch(tmp_path / layout.format(name="-_aB3_000007_000017.mp4"))
    videos = load_split(tmp_path, "val", num_classes=400)
    assert (videos.path(0), videos.label(0)) == (str(video), 6)


def test_kinetics_annotation_errors_name_the_line(tmp_path):
    head = "label,youtube_id,time_start,time_end,split\n"
    (tmp_path / "val.csv").write_text(head + "flying,x,7,17,validate\n")
    with pytest.raises(ValueError, match=r"val\.csv:2: 'flying' is no class of Kinetics-400"):
        load_split(tmp_path, "val", num_classes=400)
    (tmp_path / "val.csv").write_text(head + "abseiling,x,soon,17,validate\n")
    with pytest.raises(ValueError, match=r"val\.csv:2: .*soon"):
        load_split(tmp_path, "val", num_classes=400)


def test_class_names(tmp_path):
    names = kinetics400_class_names()
    assert len(set(names)) == 400
    assert (names[0], names[6], names[399]) == ("abseiling", "arm wrestling", "zumba")
    assert load_class_names(VIDEOS, tmp_path, num_classes=400) == names
    assert load_class_names(VIDEOS, tmp_path, num_classes=2) == ("class 0", "class 1")
    (tmp_path / "class_names.txt").write_text("x\ny z\n")
    assert load_class_names(VIDEOS, tmp_path, num_classes=2) == ("x", "y z")
    with pytest.raises(ValueError, match="2 names, but MODEL.NUM_CLASSES = 3"):
        load_class_names(VIDEOS, tmp_path, num_classes=3)
    with pytest.raises(FileNotFoundError, match="DATA.CLASS_NAMES_PATH"):
        load_class_names(VIDEOS, tmp_path, num_classes=3, file=tmp_path / "none.txt")
