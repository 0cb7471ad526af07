"""Lists of pictures: class folders, ImageNet's synsets, and validation sets in one folder."""

import os

import numpy as np
import pytest
from PIL import Image

from glore_video.data.pictures.flat_split import is_flat
from glore_video.data.pictures.imagenet_classes import imagenet_names, imagenet_synsets, readable
from glore_video.data.pictures.picture_classes import number_pictures
from glore_video.data.pictures.picture_files import PICTURES
from glore_video.data.pictures.splits import load_split
from glore_video.errors import MissingFileError, UsageError

TENCH, GOLDFISH, TOILET_TISSUE = "n01440764", "n01443537", "n15075141"


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((2, 2, 3), np.uint8)).save(path, "PNG")


@pytest.fixture
def root(tmp_path):
    """train/ of two synset folders and val/ with four pictures in no folders."""
    for synset in (GOLDFISH, TENCH):
        picture(tmp_path / "train" / synset / f"{synset}_1.JPEG")
    for number in range(1, 5):
        picture(tmp_path / "val" / f"ILSVRC2012_val_{number:08}.JPEG")
    return tmp_path


def test_classes_of_imagenet():
    names = imagenet_names()
    assert len(names) == len(set(names)) == len(imagenet_synsets()) == 1000
    assert list(imagenet_synsets()) == sorted(imagenet_synsets())
    assert names[0] == readable(TENCH) == "tench"
    assert names[999] == readable(TOILET_TISSUE) == "toilet tissue"
    assert readable("n99999999") == "n99999999"
    assert PICTURES.usual_names(1000) == names
    assert PICTURES.usual_names(2) == ("class 0", "class 1")


@pytest.mark.parametrize(
    ("name", "head", "holds"),
    [
        ("a.JPEG", b"", True),
        ("a.webp", b"", True),
        ("a.mp4", b"", False),
        ("a", b"\xff\xd8\xff\xe0", True),
        ("a", b"RIFF1234WEBPVP8 ", True),
        ("a", b"RIFF1234AVI LIST", False),
        ("a", b"text", False),
        (".a.jpg", b"\xff\xd8\xff\xe0", False),
    ],
)
def test_what_a_picture_is(tmp_path, name, head, holds):
    (tmp_path / name).write_bytes(head)
    assert PICTURES.holds(str(tmp_path / name)) is holds


def test_synset_folders_have_readable_names(root):
    numbering = number_pictures(PICTURES, root)
    assert numbering.names == ("tench", "goldfish")
    assert numbering.labels == {TENCH: 0, GOLDFISH: 1}
    samples = load_split(root, "train", num_classes=2)
    assert [samples.label(i) for i in range(2)] == [0, 1]


def test_a_part_of_imagenet_has_its_labels_for_a_network_of_1000_classes(root):
    picture(root / "train" / TOILET_TISSUE / "1.png")
    samples = load_split(root, "train", num_classes=1000)
    assert sorted(samples.labels.tolist()) == [0, 1, 999]
    assert number_pictures(PICTURES, root, num_classes=1000).names == imagenet_names()


def test_own_names_decide_for_synset_folders(root):
    (root / "class_names.txt").write_text(f"{GOLDFISH}\n{TENCH}\n")
    samples = load_split(root, "train", num_classes=2)
    by_folder = {
        os.path.basename(os.path.dirname(p)): samples.label(i)
        for i, p in enumerate(samples.paths())
    }
    assert by_folder == {GOLDFISH: 0, TENCH: 1}


VAL = [f"ILSVRC2012_val_{number:08}" for number in range(1, 5)]
TRUTH = [1, 0, 0, 1]  # by label; of the synsets 1 is goldfish
GROUND_TRUTHS = {
    "LOC_val_solution.csv": "ImageId,PredictionString\n"
    # in another order than the pictures'
    + "".join(
        f"{name},{(TENCH, GOLDFISH)[label]} 85 1 499 272 {(TENCH, GOLDFISH)[label]} 1 2 3 4 \n"
        for name, label in reversed(list(zip(VAL, TRUTH, strict=True)))
    ),
    "val.txt": "".join(f"{n}.JPEG {label}\n" for n, label in zip(VAL, TRUTH, strict=True)),
    "imagenet_2012_validation_synset_labels.txt": "".join(
        f"{(TENCH, GOLDFISH)[label]}\n" for label in TRUTH
    ),
}


@pytest.mark.parametrize("name", GROUND_TRUTHS)
@pytest.mark.parametrize("num_classes", [2, 1000])
def test_pictures_in_one_folder_with_a_ground_truth(root, name, num_classes):
    assert is_flat(root, "val")
    assert not is_flat(root, "train")
    (root / name).write_text(GROUND_TRUTHS[name])
    samples = load_split(root, "val", num_classes=num_classes)
    assert [os.path.basename(path) for path in samples.paths()] == [f"{n}.JPEG" for n in VAL]
    assert samples.labels.tolist() == TRUTH
    assert not samples.notes


def test_the_ground_truth_may_lie_anywhere(root, tmp_path_factory):
    file = tmp_path_factory.mktemp("élsewhere") / "truth.txt"
    file.write_text(GROUND_TRUTHS["val.txt"].replace(" ", "\t"))
    samples = load_split(root, "val", num_classes=2, labels_file=str(file))
    assert samples.labels.tolist() == TRUTH


def test_ground_truth_of_the_development_kit(root):
    """Its numbers are its own: meta.mat says which synset each is."""
    io = pytest.importorskip("scipy.io")
    folder = root / "ILSVRC2012_devkit_t12" / "data"
    folder.mkdir(parents=True)
    fields = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("num_children", "O")]
    rows = [(1, GOLDFISH, "goldfish", 0), (2, TENCH, "tench", 0), (3, "n01", "fish", 2)]
    io.savemat(folder / "meta.mat", {"synsets": np.array(rows, dtype=fields)})
    truth = folder / "ILSVRC2012_validation_ground_truth.txt"
    truth.write_text("".join(f"{(2, 1)[label]}\n" for label in TRUTH))
    assert load_split(root, "val", num_classes=2).labels.tolist() == TRUTH
    truth.write_text("1\n2\n7\n1\n")
    with pytest.raises(UsageError, match="no class number 7 in meta.mat"):
        load_split(root, "val", num_classes=2)
    (folder / "meta.mat").write_bytes(b"not a mat file")
    with pytest.raises(UsageError, match=r"meta\.mat: can't be read: .*DATA\.VAL_LABELS_PATH"):
        load_split(root, "val", num_classes=2)
    (folder / "meta.mat").unlink()
    with pytest.raises(MissingFileError, match=r"meta\.mat which names them is not there"):
        load_split(root, "val", num_classes=2)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("val.txt", "", "it is empty"),
        ("val.txt", f"{VAL[0]}.JPEG 1\n", r"no class for 3 of the 4 pictures .*00000002\.JPEG"),
        ("val.txt", f"{VAL[0]}.JPEG one\n", r"val\.txt:1: .* a picture's name and its label"),
        ("val.txt", GROUND_TRUTHS["val.txt"].replace(" 1", " 7"), r"label 7 is not in 0 \.\. 1"),
        ("val.txt", f"{TENCH}\n" * 3, r"3 classes, a line each, but there are 4 pictures"),
        ("val.txt", f"{TOILET_TISSUE}\n" * 4, rf"class {TOILET_TISSUE}, which is not among"),
        ("LOC_val_solution.csv", "ImageId,PredictionString\na,b,c\n", r"csv:2: 'a,b,c'"),
    ],
)
def test_a_ground_truth_that_can_not_be_used(root, name, text, message):
    (root / name).write_text(text)
    with pytest.raises(UsageError, match=message) as raised:
        load_split(root, "val", num_classes=2)
    assert "label 7" in message or "DATA.VAL_LABELS_PATH" in str(raised.value)


def test_nothing_tells_the_classes(root):
    with pytest.raises(MissingFileError, match=r"no file tells .*DATA\.VAL_LABELS_PATH names"):
        load_split(root, "val", num_classes=2)
    with pytest.raises(MissingFileError, match=r"DATA.VAL_LABELS_PATH = gone: no such file"):
        load_split(root, "val", num_classes=2, labels_file="gone")


def test_what_a_ground_truth_names_beside_the_pictures_is_told(root):
    (root / "val.txt").write_text(GROUND_TRUTHS["val.txt"] + "another.JPEG 0\n")
    samples = load_split(root, "val", num_classes=2)
    assert len(samples) == 4
    assert "1 pictures that it names are not in" in samples.notes[-1]


def test_lists_of_pictures(root):
    (root / "test.csv").write_text(f"train/{TENCH}/{TENCH}_1.JPEG 1\n")
    samples = load_split(root, "test", num_classes=2)
    assert (len(samples), samples.label(0)) == (1, 1)
    (root / "test.csv").write_text("gone.png 0\n")
    with pytest.raises(MissingFileError, match="none of its first 1 pictures exists"):
        load_split(root, "test", num_classes=2)
