"""One numbering of classes for all splits of a data folder, whatever says it."""

import os
import re

import pytest

from glore_video.data.check_sources import list_samples
from glore_video.data.class_lists import load_class_names
from glore_video.data.numbering import number_classes
from glore_video.data.video.manifest import ManifestRow
from glore_video.data.video.manifest_writer import ManifestWriter
from glore_video.data.video.splits import load_split
from glore_video.data.video.video_files import VIDEOS


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def write(path, text):
    path.write_text(text, encoding="utf-8")


def write_manifest(path, videos):
    with ManifestWriter(path) as writer:
        rows = [
            ManifestRow(path=name, label=label, status="ok", frames=9) for name, label in videos
        ]
        for row in rows:
            writer.add(row)
        writer.finish(rows)


def labels(root, split, num_classes=2, **more):
    """Labels by the folder that the videos of a split lie in."""
    videos = load_split(root, split, num_classes=num_classes, **more)
    pairs = zip(videos.paths(), videos.labels.tolist(), strict=True)
    return {os.path.basename(os.path.dirname(path)): label for path, label in pairs}


@pytest.fixture
def root(tmp_path):
    """Videos of two classes beside the splits, and val as class folders."""
    touch(tmp_path, "videos/cat/1.mp4", "videos/ape/2.mp4", "val/ape/3.mp4", "val/cat/4.mp4")
    return tmp_path


LIST = "videos/cat/1.mp4 0\nvideos/ape/2.mp4 1\n"


@pytest.mark.parametrize("kind", ["spaces", "tabs", "manifest"])
def test_class_folders_have_the_labels_of_a_list_beside_them(root, kind):
    more = {"separator": "\t"} if kind == "tabs" else {}
    if kind == "manifest":
        write_manifest(root / "train.csv", [("videos/cat/1.mp4", 0), ("videos/ape/2.mp4", 1)])
    else:
        write(root / "train.csv", LIST.replace(" ", more.get("separator", " ")))
    expected = {"cat": 0, "ape": 1}
    assert labels(root, "train", **more) == expected
    assert labels(root, "val", **more) == expected
    assert load_class_names(VIDEOS, root, num_classes=2, **more) == ("cat", "ape")
    listing = list_samples(VIDEOS, root / "val", root / "val.csv", **more)
    assert dict(listing.samples) == {"val/ape/3.mp4": 1, "val/cat/4.mp4": 0}


def test_class_folders_have_kinetics_labels_beside_its_annotation_file(tmp_path):
    touch(tmp_path, "val/arm_wrestling/5.mp4", "val/abseiling/6.mp4")
    write(tmp_path / "train.csv", "label,youtube_id,time_start,time_end\nabseiling,x,0,10\n")
    assert labels(tmp_path, "val", 400) == {"abseiling": 0, "arm_wrestling": 6}
    assert load_class_names(VIDEOS, tmp_path, num_classes=400)[6] == "arm wrestling"


def test_a_test_list_alone_numbers_the_folders_beside_it(root):
    touch(root, "train/ape/5.mp4", "train/cat/6.mp4")
    write(root / "test.csv", LIST)
    assert labels(root, "train") == labels(root, "test") == {"cat": 0, "ape": 1}
    assert load_class_names(VIDEOS, root, num_classes=2) == ("cat", "ape")


def test_names_stay_with_a_manifest_of_one_split(root):
    touch(root, "train/ape/5.mp4", "train/cat/6.mp4")
    write_manifest(root / "val.csv", [("val/ape/3.mp4", 0), ("val/cat/4.mp4", 1)])
    assert load_class_names(VIDEOS, root, num_classes=2) == ("ape", "cat")
    assert labels(root, "train") == labels(root, "val") == {"ape": 0, "cat": 1}


def test_names_of_some_labels_are_no_names(root):
    """The third label's videos lie in no folder of a class: there are three classes, two are known."""
    write(root / "train.csv", LIST + "videos/bee.mp4 2\n")
    assert number_classes(VIDEOS, root).names == ()
    assert labels(root, "val", 3) == {"ape": 1, "cat": 0}


def test_a_list_of_some_classes_is_enough_where_the_order_of_names_agrees(root):
    touch(root, "train/ape/5.mp4", "train/cat/6.mp4")
    write(root / "test.csv", "videos/ape/2.mp4 0\n")
    assert labels(root, "train") == {"ape": 0, "cat": 1}
    write(root / "test.csv", "videos/ape/2.mp4 1\n")
    with pytest.raises(
        ValueError, match=r"train: lists beside it .*test.csv lists no videos of cat"
    ):
        labels(root, "train")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("videos/1.mp4 0\nvideos/2.mp4 1\n", "no folder in its paths bears a class' name"),
        ("cat/1.mp4 0\ncat/2.mp4 1\n", "labels 0 and 1 are given to videos of cat"),
        ("cat/1.mp4 0\nape/2.mp4 0\n", "label 0 is given to videos of ape and of cat"),
    ],
    ids=["no folders", "two labels of a class", "two classes of a label"],
)
def test_class_folders_beside_a_list_that_tells_no_classes_are_refused(root, text, reason):
    write(root / "train.csv", text)
    message = rf"val: lists beside it give labels.*train\.csv: {reason}.*write .*class_names\.txt"
    with pytest.raises(ValueError, match=message):
        labels(root, "val")
    with pytest.raises(ValueError, match=message):
        list_samples(VIDEOS, root / "val", root / "val.csv")
    assert load_class_names(VIDEOS, root, num_classes=2) == ("class 0", "class 1")
    write(root / "class_names.txt", "cat\nape\n")
    assert labels(root, "val") == {"cat": 0, "ape": 1}


def test_two_lists_that_contradict_each_other_are_refused(root):
    touch(root, "clips/cat/1.mp4", "clips/ape/2.mp4")
    write(root / "train.csv", LIST)
    write(root / "val.csv", "clips/ape/2.mp4 0\nclips/cat/1.mp4 1\n")
    message = r"val\.csv: (cat|ape) has label [01], but \1 has label [01] in .*train\.csv"
    with pytest.raises(ValueError, match=message):
        load_class_names(VIDEOS, root, num_classes=2)
    for name in ("ape", "cat"):  # the same without class folders that say what a class is
        os.rename(root / "val" / name, root / name)
    os.rmdir(root / "val")
    with pytest.raises(ValueError, match=message):
        load_class_names(VIDEOS, root, num_classes=2)


def test_one_label_of_two_classes_in_two_lists_is_refused(root):
    write(root / "train.csv", "videos/cat/1.mp4 0\n")
    write(root / "test.csv", "videos/ape/2.mp4 0\n")
    message = r"test\.csv: ape has label 0, but cat has label 0 in .*train\.csv"
    with pytest.raises(ValueError, match=message):
        load_class_names(VIDEOS, root, num_classes=2)


def test_a_list_that_contradicts_class_names_is_refused(root):
    write(root / "train.csv", LIST)
    write(root / "class_names.txt", "ape\ncat\n")
    message = r"train\.csv: ape has label 1, but ape has label 0 in .*class_names\.txt"
    with pytest.raises(ValueError, match=message):
        load_class_names(VIDEOS, root, num_classes=2)


def test_splits_in_folders_of_other_names_do_not_contradict_each_other(tmp_path):
    touch(tmp_path, "a/1.mp4", "b/2.mp4", "c/1.mp4", "d/2.mp4")
    write(tmp_path / "train.csv", "a/1.mp4 0\nb/2.mp4 1\n")
    write(tmp_path / "val.csv", "c/1.mp4 0\nd/2.mp4 1\n")
    assert load_class_names(VIDEOS, tmp_path, num_classes=2) == ("class 0", "class 1")


def test_class_names_number_class_folders(root):
    write(root / "class_names.txt", "cat\ndog\nape\n")
    assert labels(root, "val", 3) == {"cat": 0, "ape": 2}
    assert dict(list_samples(VIDEOS, root / "val", root / "m.csv").samples)["val/ape/3.mp4"] == 2
    (note,) = load_split(root, "val", num_classes=3).notes
    assert note == f"{root / 'val'}: no videos of dog"
    write(root / "class_names.txt", "cat\ndog\n")
    with pytest.raises(ValueError, match=r"val: ape: not among the classes of .*class_names\.txt"):
        labels(root, "val")


def test_names_for_people_leave_the_numbers_of_folders_alone(root):
    write(root / "class_names.txt", "a great ape\na cat\n")
    assert labels(root, "val") == {"ape": 0, "cat": 1}
    assert load_class_names(VIDEOS, root, num_classes=2) == ("a great ape", "a cat")


def test_a_class_name_that_stands_twice_numbers_no_folder(root):
    write(root / "class_names.txt", "cat\nape\ncat\n")
    with pytest.raises(ValueError, match="'cat' stands there more than once"):
        labels(root, "val", 3)


def test_an_unused_list_that_can_not_be_read_is_no_obstacle(root):
    write(root / "test.csv", "no labels yet.mp4\n")
    assert labels(root, "val") == {"ape": 0, "cat": 1}


@pytest.fixture
def validation(root):
    """A folder that is no split by its name, and lacks a class of train."""
    touch(root, "train/ape/5.mp4", "train/bee/6.mp4", "train/cat/7.mp4")
    os.rename(root / "val", root / "validation")
    return root / "validation"


def test_a_folder_that_lacks_classes_is_not_numbered_anew(validation):
    root = validation.parent
    message = (
        f"{validation}: its classes ape, cat and those of {root / 'train'}, ape, bee, cat, are not "
        f"the same, so their labels are not known; --like {root} takes those, --like {validation} "
        "numbers these by themselves"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        list_samples(VIDEOS, validation, root / "m.csv")
    touch(validation, "bee/8.mp4")
    assert [label for _, label in list_samples(VIDEOS, validation, root / "m.csv").samples] == [
        0,
        1,
        2,
    ]


@pytest.mark.parametrize(
    ("like", "expected"),
    [
        ("", [0, 2]),
        ("train", [0, 2]),
        ("validation", [0, 1]),
        ("list.csv", [3, 0]),
        ("names.txt", [1, 0]),
    ],
    ids=["data folder", "class folders", "itself", "list", "names"],
)
def test_labels_like_those_of_another(validation, like, expected):
    root = validation.parent
    write(root / "list.csv", "a/cat/1.mp4 0\nb/ape/2.mp4 3\n")
    write(root / "names.txt", "cat\nape\n")
    listing = list_samples(VIDEOS, validation, root / "m.csv", like=root / like)
    assert [label for _, label in listing.samples] == expected


def test_labels_like_those_of_what_does_not_tell_them(validation):
    root = validation.parent
    write(root / "list.csv", "a/1.mp4 0\n")
    with pytest.raises(ValueError, match=r"list\.csv does not tell the labels of classes"):
        list_samples(VIDEOS, validation, root / "m.csv", like=root / "list.csv")
    write(root / "names.txt", "cat\n")
    with pytest.raises(ValueError, match=r"validation: ape: not among the classes of .*names\.txt"):
        list_samples(VIDEOS, validation, root / "m.csv", like=root / "names.txt")
    with pytest.raises(FileNotFoundError, match="none: no such list or folder"):
        list_samples(VIDEOS, validation, root / "m.csv", like=root / "none")
    with pytest.raises(ValueError, match=r"--like .*: .*list\.csv is no folder"):
        list_samples(VIDEOS, root / "list.csv", root / "m.csv", like=root / "train")


def test_a_check_says_who_numbers_the_classes(validation):
    root = validation.parent
    listing = list_samples(VIDEOS, validation, root / "m.csv", like=root / "train")
    assert listing.notes == (f"labels, those of {root / 'train'}: 0 ape, 2 cat",)
