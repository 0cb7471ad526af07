"""Lists, class folders, numbering and names of samples that are not videos."""

import pytest

from glore_video.data.check_sources import list_samples
from glore_video.data.class_lists import load_class_names, load_split
from glore_video.data.numbering import number_classes
from glore_video.data.sample_kind import SampleKind
from glore_video.errors import MissingFileError, UsageError

PICTURES = SampleKind(
    "picture",
    example="pictures/a.jpg",
    suffixes=frozenset({".jpg", ".png"}),
    begins=lambda head: head.startswith(b"\xff\xd8\xff"),
)


def touch(root, *paths, content=b""):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)


@pytest.fixture
def root(tmp_path):
    touch(tmp_path, "train/ape/1.jpg", "train/ape/2.PNG", "train/bee/3.jpg", "val/bee/4.jpg")
    touch(tmp_path, "train/ape/film.mp4", "train/loose.jpg", "train/cat/film.mp4", "val/ape/none")
    touch(tmp_path, "val/ape/5", content=b"\xff\xd8\xff\xe0")
    return tmp_path


def named(samples, root):
    paths = [path.removeprefix(f"{root}/") for path in samples.paths()]
    return dict(zip(paths, samples.labels.tolist(), strict=True))


def test_class_folders(root):
    train = load_split(PICTURES, root, "train", num_classes=2)
    assert named(train, root) == {"train/ape/1.jpg": 0, "train/ape/2.PNG": 0, "train/bee/3.jpg": 1}
    assert train.notes == (
        f"{root / 'train'}: not taken: pictures in no class folder (1: loose.jpg), "
        ".mp4 (2: ape/film.mp4, ...), folders without pictures (1: cat)",
    )
    val = load_split(PICTURES, root, "val", num_classes=2)
    assert named(val, root) == {"val/ape/5": 0, "val/bee/4.jpg": 1}
    assert val.label(1) == 1


def test_lists_number_class_folders(root):
    (root / "train.csv").write_text("train/ape/1.jpg 1\ntrain/bee/3.jpg 0\n")
    assert named(load_split(PICTURES, root, "train", num_classes=2), root) == {
        "train/ape/1.jpg": 1,
        "train/bee/3.jpg": 0,
    }
    numbering = number_classes(PICTURES, root)
    assert numbering.names == ("bee", "ape")
    val = load_split(PICTURES, root, "val", num_classes=2, numbering=numbering)
    assert named(val, root) == {"val/ape/5": 1, "val/bee/4.jpg": 0}


def test_names(tmp_path):
    assert load_class_names(PICTURES, "", num_classes=400)[399] == "class 399"  # not Kinetics'
    (tmp_path / "class_names.txt").write_text("ape\nbee\n")
    assert load_class_names(PICTURES, tmp_path, num_classes=2) == ("ape", "bee")


def test_what_a_check_looks_at(root):
    listing = list_samples(PICTURES, root / "val", root / "m.csv")
    assert listing.samples == (("val/ape/5", 0), ("val/bee/4.jpg", 1))
    with pytest.raises(UsageError, match="cat: no pictures in it"):
        list_samples(PICTURES, root / "train" / "cat", root / "m.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.jpg 0\na.jpg 1\n", "a picture has one label"),
        ("a.jpg 0\nb.jpg 0\n", "none of its first 2 pictures exists"),
        ("", "no pictures in it"),
        ("a.jpg 2\n", r"train.csv:1: label 2 is not in 0 .. 1 \(MODEL.NUM_CLASSES = 2\)"),
    ],
)
def test_messages_of_lists(tmp_path, text, message):
    (tmp_path / "train.csv").write_text(text)
    with pytest.raises((UsageError, MissingFileError), match=message):
        load_split(PICTURES, tmp_path, "train", num_classes=2)


def test_messages_of_folders(root, tmp_path):
    with pytest.raises(UsageError, match=r"2 class folders.*no pictures in cat \(1 .mp4\)"):
        load_split(PICTURES, root, "train", num_classes=3)
    with pytest.raises(MissingFileError, match=r"`pictures/a\.jpg 12`.*folder of pictures"):
        load_split(PICTURES, root, "test", num_classes=2)


@pytest.mark.parametrize("paths", [("bee/1.jpg bee/2.jpg"), ("x/bee/1.jpg x/bee/2.jpg")])
def test_lists_that_contradict_themselves(tmp_path, paths):
    touch(tmp_path, "val/ape/1.jpg", "val/bee/1.jpg")
    lines = [f"{path} {label}\n" for label, path in enumerate(paths.split())]
    (tmp_path / "train.csv").write_text("".join(lines))
    with pytest.raises(UsageError, match="labels 0 and 1 are given to pictures of bee"):
        load_split(PICTURES, tmp_path, "val", num_classes=2)
