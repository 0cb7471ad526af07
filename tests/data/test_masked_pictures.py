"""Pictures with masks: layouts of folders, what their numbers mean, what is said of faults."""

import os
import pickle
import re

import numpy as np
import pytest
import torch
from PIL import Image
from scene_miniature import (
    CAR,
    OWN_NAMES,
    OWN_NUMBERS,
    PERSON,
    ROAD,
    write_cityscapes,
    write_own,
    write_voc,
)

from glore_video.data.masks.checking import check_masks, spread_indices
from glore_video.data.masks.cityscapes_labels import cityscapes_classes
from glore_video.data.masks.label_map import IGNORED, LabelMap
from glore_video.data.masks.layouts import find_layout, load_pairs
from glore_video.data.masks.mask_classes import numbered_classes, voc_palette
from glore_video.data.masks.masked_list import MaskedList
from glore_video.data.masks.reading import read_pair
from glore_video.errors import MissingFileError, UsageError
from glore_video.images.errors import PictureError

SMALL = {"height": 32, "width": 64}


def test_cityscapes(tmp_path):
    scenes = write_cityscapes(tmp_path / "cité s", {"train": 2, "val": 1}, **SMALL)
    layout = find_layout(tmp_path / "cité s")
    assert layout.splits() == ("train", "val")
    samples = layout.load("train")
    assert len(samples) == 2
    assert [samples.path(i).rpartition("/")[2] for i in range(2)] == [
        "aachen_000000_000019_leftImg8bit.png",
        "zürich_000001_000019_leftImg8bit.png",
    ]
    assert samples.mask(1).endswith("gtFine/train/zürich/zürich_000001_000019_gtFine_labelIds.png")
    assert samples.instances(1).endswith("zürich_000001_000019_gtFine_instanceIds.png")
    classes = layout.classes()
    for index, scene in enumerate(scenes[:2]):
        picture, mask = read_pair(samples, index, classes.label_map)
        assert torch.equal(picture[0], torch.from_numpy(scene.picture))
        assert torch.equal(mask == 0, torch.from_numpy(scene.labels == ROAD))
        assert torch.equal(mask == 13, torch.from_numpy(scene.labels == CAR))
        ignored = np.isin(scene.labels, [0, 1, 2, 3, 4, 5, 6, 9, 10, 14, 15, 16, 18, 29, 30])
        assert torch.equal(mask == IGNORED, torch.from_numpy(ignored))


def test_labels_of_cityscapes():
    classes = cityscapes_classes()
    assert len(classes) == 19
    assert classes.names[:3] == ("road", "sidewalk", "building")
    assert classes.names[16:] == ("train", "motorcycle", "bicycle")
    assert classes.stored[:3] == (7, 8, 11)
    assert classes.group_names == (
        *("flat", "construction", "object", "nature", "sky", "human", "vehicle"),
    )
    assert classes.groups == (0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5, 5, 6, 6, 6, 6, 6, 6)
    assert np.isnan(classes.mean_instance_sizes).sum() == 11
    written = classes.numbers(np.array([[0, 18], [13, 10]]))
    assert written.dtype == np.uint8
    assert written.tolist() == [[7, 33], [26, 23]]


def test_labels_of_cityscapes_are_those_of_its_scripts():
    labels = pytest.importorskip(
        "cityscapesscripts.helpers.labels", reason="cityscapesscripts is not installed"
    ).labels
    classes = cityscapes_classes()
    numbers = torch.arange(34, dtype=torch.uint8)[None]
    theirs = [label for label in labels if label.id >= 0]
    assert classes.label_map(numbers)[0].tolist() == [label.trainId for label in theirs]
    trained = [label for label in theirs if label.trainId != 255]
    assert list(classes.names) == [label.name for label in trained]
    assert list(classes.colours) == [label.color for label in trained]
    assert [classes.group_names[group] for group in classes.groups] == [
        label.category for label in trained
    ]
    assert [not np.isnan(size) for size in classes.mean_instance_sizes] == [
        label.hasInstances for label in trained
    ]


@pytest.mark.parametrize("form", ["{what}/{split}", "{split}/{what}"])
def test_own_folders(tmp_path, form):
    scenes = write_own(tmp_path, {"train": 2, "val": 1}, form=form, **SMALL)
    layout = find_layout(tmp_path)
    assert layout.splits() == ("train", "val")
    samples, classes = layout.load("train"), layout.classes()
    assert classes.names == OWN_NAMES
    assert [samples.path(i).rpartition("/")[2] for i in range(2)] == ["scene 0.jpg", "scene 1.jpg"]
    assert "déjà vu" in samples.mask(1)
    assert samples.instances(0) == ""
    for index, scene in enumerate(scenes[:2]):
        _, mask = read_pair(samples, index, classes.label_map)
        assert torch.equal(mask, torch.from_numpy(OWN_NUMBERS[scene.labels]))
    assert len(load_pairs(tmp_path, "val")) == 1


def test_pascal_voc(tmp_path):
    scenes = write_voc(tmp_path / "VOCdevkit" / "VOC2012", {"train": 2, "val": 1})
    layout = find_layout(tmp_path)
    assert layout.splits() == ("train", "val")
    samples, classes = layout.load("train"), layout.classes()
    assert (classes.names[0], classes.names[15], len(classes)) == ("background", "person", 21)
    assert classes.colours[:3] == ((0, 0, 0), (128, 0, 0), (0, 128, 0))
    _, mask = read_pair(samples, 1, classes.label_map)
    assert torch.equal(mask == 15, torch.from_numpy(scenes[1].labels == PERSON))
    assert (mask == IGNORED).any()


def test_more_masks_of_pascal_voc(tmp_path):
    write_voc(tmp_path, {"train": 2, "val": 1})
    (tmp_path / "SegmentationClassAug").mkdir()
    for file in (tmp_path / "SegmentationClass").iterdir():
        (tmp_path / "SegmentationClassAug" / file.name).write_bytes(file.read_bytes())
    lists = tmp_path / "ImageSets" / "Segmentation"
    (lists / "trainaug.txt").write_text(
        "2007_000000\n/JPEGImages/2007_000002.jpg /SegmentationClass/2007_000002.png\n"
    )
    samples = load_pairs(tmp_path, "trainaug")
    assert [samples.mask(i) for i in range(2)] == [
        str(tmp_path / "SegmentationClassAug" / "2007_000000.png"),
        str(tmp_path / "SegmentationClass" / "2007_000002.png"),
    ]
    with pytest.raises(MissingFileError, match="test.txt: no such list; there are train, train"):
        load_pairs(tmp_path, "test")
    (lists / "val.txt").write_text("one two three\n")
    with pytest.raises(UsageError, match="val.txt:1: 'one two three': a picture's name is"):
        load_pairs(tmp_path, "val")
    (lists / "val.txt").write_text("\n")
    with pytest.raises(UsageError, match="val.txt: it is empty"):
        load_pairs(tmp_path, "val")
    (lists / "val.txt").write_text("2007_000000\nnone\n")
    with pytest.raises(MissingFileError, match="1 of its 2 pictures are not there, .*none.jpg"):
        load_pairs(tmp_path, "val")


def test_a_list_survives_pickling(tmp_path):
    samples = pickle.loads(
        pickle.dumps(MaskedList(tmp_path, ["a.jpg", "é.jpg"], ["a.png", "é.png"]))
    )
    assert (samples.path(1), samples.mask(0), samples.instances(1)) == ("é.jpg", "a.png", "")
    with pytest.raises(UsageError, match="2 pictures, but 1 masks"):
        MaskedList(tmp_path, ["a.jpg", "b.jpg"], ["a.png"])


def test_colours_differ():
    assert len({tuple(colour) for colour in voc_palette(256).tolist()}) == 256
    assert voc_palette(256)[[1, 20, 255]].tolist() == [[128, 0, 0], [0, 64, 128], [224, 224, 192]]
    assert numbered_classes(["road", "sky"], "names").colours == ((128, 0, 0), (0, 128, 0))


# What is missing or wrong


def no_folder(root):
    return root / "nothing", re.escape("DATA.PATH_TO_DATA_DIR = ") + ".*nothing: no such folder"


def empty(root):
    return root, "no pictures with masks in it; known are: Cityscapes .leftImg8bit"


def two_layouts(root):
    write_cityscapes(root, {"train": 1}, **SMALL)
    (root / "images").mkdir()
    return root, "has folders of Cityscapes .* and images/<split> beside masks/<split>: leave"


def no_masks_of_cityscapes(root):
    (root / "leftImg8bit" / "train").mkdir(parents=True)
    return root, "gtFine: no such folder; unpack gtFine_trainvaltest.zip"


def no_split(root):
    write_cityscapes(root, {"val": 1}, **SMALL)
    return root, "leftImg8bit/train: no such folder"


def no_pictures(root):
    write_own(root, {"train": 2}, **SMALL)
    for file in (root / "images").rglob("*.jpg"):
        file.rename(file.with_suffix(".txt"))
    return root, "images/train: no pictures in it; there are 2 .txt"


def pictures_alone(root):
    write_own(root, {"train": 4}, **SMALL)
    (root / "masks" / "train" / "scene 0.png").unlink()
    (root / "masks" / "train" / "scene 2.png").rename(root / "masks" / "train" / "scene 3.png")
    return root, "masks/train: no mask for 2 of the 4 pictures in .*images/train, scene 0.png for"


def train_ids_alone(root):
    write_cityscapes(root, {"train": 2}, **SMALL)
    for file in (root / "gtFine").rglob("*labelIds.png"):
        file.rename(file.with_name(file.name.replace("labelIds", "labelTrainIds")))
    expected = "no mask for 2 of the 2 .*, aachen/aachen_000000_000019_gtFine_labelIds.png for one"
    return root, expected + "; there are 4 names that do not end in _gtFine_labelIds.png"


def two_pictures_of_a_mask(root):
    write_own(root, {"train": 1}, **SMALL)
    picture = root / "images" / "train" / "scene 0.jpg"
    picture.with_suffix(".jpeg").write_bytes(picture.read_bytes())
    return root, "scene 0.jpeg and scene 0.jpg differ in their suffixes alone: which picture is"


@pytest.mark.parametrize(
    "fault",
    [
        *(no_folder, empty, two_layouts, no_masks_of_cityscapes, no_split, no_pictures),
        *(pictures_alone, train_ids_alone, two_pictures_of_a_mask),
    ],
)
def test_what_is_missing(tmp_path, fault):
    folder, words = fault(tmp_path)
    with pytest.raises(UsageError, match=words) as raised:
        load_pairs(folder, "train")
    assert "\n" not in str(raised.value)


def test_masks_without_a_picture_are_noted(tmp_path):
    write_own(tmp_path, {"train": 2}, **SMALL)
    (tmp_path / "images" / "train" / "scene 0.jpg").unlink()
    (note,) = load_pairs(tmp_path, "train").notes
    assert note.endswith("masks/train: 1 masks without a picture, scene 0.png for one")


def test_class_names(tmp_path):
    write_own(tmp_path, {"train": 1}, **SMALL)
    layout = find_layout(tmp_path)
    names = tmp_path / "class_names.txt"
    for text, words in (
        ("", "class_names.txt: no class in it; a name a line"),
        ("road\nsky\nroad\n", "'road' stands there more than once"),
        ("\n".join(map(str, range(255))), "255 classes; masks can have 254"),
    ):
        names.write_text(text)
        with pytest.raises(UsageError, match=words):
            layout.classes()
    names.unlink()
    with pytest.raises(MissingFileError, match=r"class_names.txt: no such file.*CLASS_NAMES_PATH"):
        layout.classes()
    other = tmp_path / "other names.txt"
    other.write_text("straße\n")
    assert layout.classes(other).names == ("straße",)


# Numbers


def test_numbers_become_classes():
    label_map = LabelMap({0: 1, 7: 0, 300: 2}, ignored=(9, 65535))
    grey = torch.tensor([[0, 7], [9, 0]], dtype=torch.uint8)
    assert label_map(grey).tolist() == [[1, 0], [255, 1]]
    wide = torch.tensor([[300, 7, 65535]], dtype=torch.int32)
    assert label_map(wide).tolist() == [[2, 0, 255]]
    assert label_map(wide).dtype == torch.uint8
    assert label_map(grey.T).tolist() == [[1, 255], [0, 1]]
    assert label_map(torch.zeros((0, 3), dtype=torch.uint8)).shape == (0, 3)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32])
def test_numbers_of_no_class(dtype):
    label_map = LabelMap({0: 0, 1: 1}, mended_by="write others")
    stored = torch.tensor([[0, 1, 200], [3, 3, 255]], dtype=dtype)
    words = (
        "m.png: holds numbers that stand for no class: 3 (2 pixels), 200 (1 pixel), 255 (1 pixel)"
    )
    with pytest.raises(PictureError, match=re.escape(f"{words}; write others")):
        label_map(stored, "m.png")
    assert label_map.unknown(stored) == {3: 2, 200: 1, 255: 1}


def test_numbers_that_no_mask_holds():
    label_map = LabelMap({0: 0})
    with pytest.raises(PictureError, match="-1 .1 pixel., 70000 .1 pixel."):
        label_map(torch.tensor([[-1, 70000]], dtype=torch.int32), "m.png")
    with pytest.raises(UsageError, match="0 to 65535, not 65536"):
        LabelMap({65536: 0})
    with pytest.raises(UsageError, match="254 classes; 254 is too many"):
        LabelMap({0: 254})


def faulty(root):
    """Four scenes: a mask of another size, one with other numbers, a cut-off one, a good one."""
    write_own(root, {"train": 4}, **SMALL)
    masks = root / "masks" / "train"
    Image.new("P", (64, 30)).save(masks / "scene 0.png")
    numbers = np.zeros((32, 64), dtype=np.uint8)
    numbers[0, :5] = 3
    Image.fromarray(numbers).save(masks / "déjà vu" / "scene 1.png")
    whole = (masks / "scene 2.png").read_bytes()
    (masks / "scene 2.png").write_bytes(whole[: len(whole) // 2])
    return find_layout(root)


def test_faults_of_masks(tmp_path):
    layout = faulty(tmp_path)
    samples, classes = layout.load("train"), layout.classes()
    reasons = {}
    for index in range(4):
        try:
            read_pair(samples, index, classes.label_map)
        except PictureError as error:
            reasons[error.path.rpartition("/")[2]] = error.reason
    assert reasons.keys() == {"scene 0.png", "scene 1.png", "scene 2.png"}
    assert reasons["scene 0.png"] == "the mask has 64x30 pixels, its picture 64x32"
    assert "3 (5 pixels); " in reasons["scene 1.png"]
    assert "class_names.txt names 3 classes, 0 .. 2, and 255 is ignored" in reasons["scene 1.png"]


@pytest.mark.parametrize("threads", [1, 3])
def test_a_check_of_masks(tmp_path, threads):
    layout = faulty(tmp_path)
    samples, classes = layout.load("train"), layout.classes()
    told = []
    check = check_masks(samples, classes, threads=threads, progress=told.append)
    assert told == [1, 2, 3, 4]
    # Scenes of the folder first, then those one folder deeper.
    assert [pair.status for pair in check.pairs] == ["size", "unreadable", "numbers", "ok"]
    assert [pair.index for pair in check.pairs] == [0, 1, 2, 3]
    cut_off, size, numbers = check.lines()
    assert re.search("scene 2.png: can't be decoded", cut_off)
    assert re.search("scene 0.png: the mask has 64x30", size)
    assert re.search(
        "scene 1.png: holds numbers that stand for no class: 3 .5 pixels.",
        numbers,
    )
    assert [(pair.width, pair.height) for pair in check.pairs] == [(64, 32)] * 4
    assert check.pixels.sum() + check.ignored == 32 * 64


def test_classes_that_never_occur(tmp_path):
    scenes = write_cityscapes(tmp_path, {"train": 4}, **SMALL)
    layout = find_layout(tmp_path)
    check = check_masks(layout.load("train"), layout.classes(), indices=[0, 2])
    assert not check.faults
    assert check.pixels[13] == sum((scenes[index].labels == CAR).sum() for index in (0, 2))
    assert check.occurs_in[[10, 13, 16]].tolist() == [2, 2, 0]
    (line,) = check.lines()
    assert line.startswith("no pixel in 2 masks is of wall, fence, ")
    assert spread_indices(3, 5) == [0, 1, 2]
    assert spread_indices(9, 3) == [0, 4, 8]


def test_many_faults_are_few_lines(tmp_path):
    write_own(tmp_path, {"train": 6}, **SMALL)
    for number, path in enumerate(sorted((tmp_path / "masks" / "train").rglob("*.png"))):
        Image.new("L", (64, 32), number).save(path)
    layout = find_layout(tmp_path)
    (line,) = check_masks(layout.load("train"), layout.classes()).lines()
    assert re.match("3 of 6 masks, .*png for one: holds numbers .*: 3 .2,048 pixels., 4 .2,0", line)
    for path in (tmp_path / "images" / "train").rglob("*.jpg"):
        path.write_bytes(b"")
    lines = check_masks(layout.load("train"), layout.classes()).lines()
    assert [line.endswith(": the file is empty") for line in lines[:3]] == [True] * 3
    assert lines[3] == "6 of 6 can't be read, 3 are named above"
    assert len(lines) == 5


def test_halves_of_pairs_are_left_out_where_that_is_asked_for(tmp_path):
    own, voc = tmp_path / "own", tmp_path / "voc"
    write_own(own, {"train": 4}, **SMALL)
    (own / "masks" / "train" / "scene 0.png").unlink()
    (own / "images" / "train" / "déjà vu" / "scene 1.jpg").unlink()
    samples = find_layout(own).load("train", complete=False)
    assert [os.path.basename(path) for path in samples.paths()] == ["scene 2.jpg", "scene 3.jpg"]
    (alone, no_mask), (spare, no_picture) = samples.left_out
    assert alone == str(own / "images" / "train" / "scene 0.jpg")
    assert no_mask == f"has no mask {own / 'masks' / 'train' / 'scene 0'}.png"
    assert spare == str(own / "masks" / "train" / "déjà vu" / "scene 1.png")
    assert no_picture == f"has no picture in {own / 'images' / 'train'}"
    write_voc(voc, {"val": 3})
    gone = voc / "SegmentationClass" / "2007_000001.png"
    gone.unlink()
    samples = find_layout(voc).load("val", complete=False)
    assert len(samples) == 2
    ((path, reason),) = samples.left_out
    assert path == str(gone)
    assert reason == f"no such file, which {voc / 'ImageSets/Segmentation/val.txt'} names"


def test_a_turned_picture_is_named(tmp_path):
    tags = Image.Exif()
    tags[0x0112] = 6
    Image.new("RGB", (64, 32)).save(tmp_path / "a.jpg", exif=tags)
    Image.new("L", (64, 32)).save(tmp_path / "a.png")
    samples = MaskedList(tmp_path, [str(tmp_path / "a.jpg")], [str(tmp_path / "a.png")])
    with pytest.raises(
        PictureError, match="64x32 pixels, its picture 32x64; one of them is turned"
    ):
        read_pair(samples, 0, LabelMap({0: 0}))
