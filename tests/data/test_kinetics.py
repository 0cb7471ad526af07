"""Annotation files, names of videos, coverage, and lists made of them."""

import re

import pytest
from encoded_videos import encode

from glore_video.data.class_lists import load_class_names
from glore_video.data.video.kinetics import (
    AnnotatedClip,
    kinetics400_class_names,
    read_annotations,
)
from glore_video.data.video.kinetics_coverage import (
    class_names_of,
    compare_with_names,
    coverage,
    find_video_files,
    video_of,
)
from glore_video.data.video.kinetics_lists import prepare_kinetics, report_lines
from glore_video.data.video.reencoding import Encoding
from glore_video.data.video.splits import load_split
from glore_video.data.video.video_files import VIDEOS
from glore_video.video import read_index

HEAD = "label,youtube_id,time_start,time_end,split\n"


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def annotations(path, *rows):
    path.write_text(HEAD + "".join(f"{row}\n" for row in rows))
    return path


def test_clips_and_their_names(tmp_path):
    path = annotations(tmp_path / "a.csv", 'arm_wrestling,"-_aB3",7,17,val', "zumba, x y,95.0,105,")
    clips = [clip for _, clip in read_annotations(path)]
    assert clips == [
        AnnotatedClip("arm wrestling", "-_aB3", 7.0, 17.0),
        AnnotatedClip("zumba", "x y", 95.0, 105.0),
    ]
    assert [clip.name for clip in clips] == ["-_aB3_000007_000017", "x y_000095_000105"]


def test_test_sets_have_no_labels(tmp_path):
    (tmp_path / "t.csv").write_text("youtube_id,time_start,time_end,split\nabc,0,10,test\n")
    assert [clip for _, clip in read_annotations(tmp_path / "t.csv")] == [
        AnnotatedClip("", "abc", 0, 10)
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("zumba,x,soon,10,val", "a.csv:3: time_start and time_end must be seconds, got 'soon'"),
        ("zumba,x,10,5,val", "a.csv:3: time_start and time_end"),
        ("zumba,x,nan,5,val", "a.csv:3: time_start and time_end"),
        ("zumba,x", "a.csv:3: 2 columns, the header has 5"),
        ("zumba,,1,5,val", "a.csv:3: youtube_id is empty"),
    ],
)
def test_bad_lines_are_named(tmp_path, row, message):
    path = annotations(tmp_path / "a.csv", "zumba,x,0,10,val", row)
    with pytest.raises(ValueError, match=re.escape(message)):
        list(read_annotations(path))


def test_videos_are_found_in_any_folder_by_either_name(tmp_path):
    one = touch(tmp_path / "train" / "zumba" / "abc_000001_000011.mp4")
    two = touch(tmp_path / "x-y.webm")
    touch(tmp_path / ".hidden.mp4")
    files = find_video_files(tmp_path)
    assert files == {"abc_000001_000011": str(one), "x-y": str(two)}
    assert video_of(AnnotatedClip("", "abc", 1, 11), files) == str(one)
    assert video_of(AnnotatedClip("", "abc", 2, 12), files) is None
    assert video_of(AnnotatedClip("", "x-y", 5, 15), files) == str(two)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no videos in it"):
        find_video_files(tmp_path / "empty")
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        find_video_files(tmp_path / "nowhere")


def test_class_names():
    assert class_names_of([AnnotatedClip("zumba", "a", 0, 1)]) == kinetics400_class_names()
    others = [AnnotatedClip(label, "a", 0, 1) for label in ("zumba", "flying a kite", "zumba", "")]
    assert class_names_of(others) == ("flying a kite", "zumba")


def test_coverage():
    clips = [AnnotatedClip(label, f"{label}{n}", 0, 10) for label in "abc" for n in range(4)]
    files = {clip.name: "x" for clip in [*clips[:4], *clips[5:8], clips[9]]}
    found = coverage(clips, files, worst=2)
    assert (found.expected, found.found) == (12, 8)
    assert found.missing[0] == "b0_000000_000010"
    assert found.worst == (("c", 1, 4), ("b", 3, 4))


@pytest.mark.parametrize(
    "official",
    [
        "abc_000001_000011\nnot here_000002_000012\n",
        "zumba/abc_000001_000011.mp4 399\nx/not here_000002_000012.mp4 3\n",
        "\ufeffabc\nnot here\n\n",
        HEAD + "zumba,abc,1,11,val\nzumba,not here,2,12,val\n",
    ],
    ids=["clips", "list with labels", "names, byte order mark", "annotation file"],
)
def test_against_an_official_list(tmp_path, official):
    (tmp_path / "names.txt").write_text(official)
    there = ["some where/abc_000001_000011.webm", "more_000001_000011.mp4"]
    compared = compare_with_names(there, tmp_path / "names.txt")
    assert compared.expected == 2
    (missing,) = compared.missing
    assert missing.startswith("not here")
    assert compared.surplus == ("more_000001_000011.mp4",)


def test_two_clips_of_one_video_are_told_apart(tmp_path):
    rows = ("zumba,abc,1,11,val", "zumba,abc,20,30,val")
    official = annotations(tmp_path / "a.csv", *rows)
    compared = compare_with_names(["abc_000001_000011.mp4"], official)
    assert (compared.expected, compared.missing) == (2, ("abc_000020_000030",))


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "no names in it"), (b"\xff\xfe\x00\x80", "not a text file")],
    ids=["empty", "bytes"],
)
def test_official_lists_that_are_none(tmp_path, content, message):
    (tmp_path / "names.txt").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        compare_with_names([], tmp_path / "names.txt")
    with pytest.raises(FileNotFoundError, match=r"none\.txt: no such file"):
        compare_with_names([], tmp_path / "none.txt")


@pytest.fixture
def sources(tmp_path):
    """Annotations of two splits; one of three training clips lacks, and the one of the test set."""
    train = annotations(
        tmp_path / "a_train.csv",
        "arm wrestling,aa,0,10,train",
        "zumba,bb,5,15,train",
        "zumba,cc,5,15,train",
    )
    val = annotations(tmp_path / "a_val.csv", "abseiling,d d,0,10,val")
    test = tmp_path / "a_test.csv"
    test.write_text("youtube_id,time_start,time_end,split\ne,0,10,test\n")
    for name in ("aa_000000_000010", "zumba/bb_000005_000015", "d d_000000_000010"):
        (tmp_path / "clips" / "zumba").mkdir(parents=True, exist_ok=True)
        encode(tmp_path / "clips" / f"{name}.mp4", numbers=range(12), size=(128, 160))
    return {"train": train, "val": val, "test": test}


def test_lists_of_what_is_there(tmp_path, sources):
    out = tmp_path / "out"
    prepared = prepare_kinetics(sources, tmp_path / "clips", out)
    assert (out / "train.csv").read_text() == (
        f"{tmp_path}/clips/aa_000000_000010.mp4 6\n"
        f"{tmp_path}/clips/zumba/bb_000005_000015.mp4 399\n"
    )
    assert load_split(out, "val", num_classes=400).labels.tolist() == [0]
    assert load_class_names(VIDEOS, out, num_classes=400)[399] == "zumba"
    assert not (out / "test.csv").exists()
    assert report_lines(prepared) == [
        "split       clips    there              listed",
        "train           3        2    66.7%          2",
        "val             1        1   100.0%          1",
        "test            1        0     0.0%  no labels",
        "  train: 1 of 2 clips of 'zumba'",
    ]


def test_lists_of_one_split_after_the_other_have_one_numbering(tmp_path):
    out = tmp_path / "out"
    rows = {"train": ["cow,a,0,10", "ape,b,0,10", "bee,c,0,10"], "val": ["cow,d,0,10"]}
    rows["test"] = ["dog,e,0,10"]
    files = {}
    for split, lines in rows.items():
        files[split] = tmp_path / f"{split}.csv"
        files[split].write_text("\n".join(["label,youtube_id,time_start,time_end", *lines]))
    for name in "abcde":
        touch(tmp_path / "clips" / f"{name}.mp4")
    prepare_kinetics({"train": files["train"]}, tmp_path / "clips", out)
    prepare_kinetics({"val": files["val"]}, tmp_path / "clips", out)
    assert (out / "class_names.txt").read_text() == "ape\nbee\ncow\n"
    assert (out / "val.csv").read_text() == f"{tmp_path}/clips/d.mp4 2\n"
    message = r"class_names\.txt: dog: not among the classes by which .*train\.csv is numbered"
    with pytest.raises(ValueError, match=message):
        prepare_kinetics({"test": files["test"]}, tmp_path / "clips", out)
    prepare_kinetics(files, tmp_path / "clips", out)
    assert (out / "val.csv").read_text() == f"{tmp_path}/clips/d.mp4 2\n"
    assert (out / "test.csv").read_text() == f"{tmp_path}/clips/e.mp4 3\n"


def test_a_clip_of_two_classes_is_no_clip_of_a_list(tmp_path):
    rows = ["label,youtube_id,time_start,time_end", "ape,a,0,10", "bee,a,0,10"]
    (tmp_path / "train.csv").write_text("\n".join(rows))
    touch(tmp_path / "clips" / "a.mp4")
    message = "a_000000_000010 has label 'ape' in line 2 and label 'bee' in line 3"
    with pytest.raises(ValueError, match=message):
        prepare_kinetics({"train": tmp_path / "train.csv"}, tmp_path / "clips", tmp_path / "out")


def test_encoded_anew(tmp_path, sources):
    encoding = Encoding(short_side=64, gop=4, preset="ultrafast")
    (tmp_path / "clips" / "aa_000000_000010.mp4").write_bytes(b"broken")
    out = tmp_path / "clips"  # the new videos lie among the old ones
    for _ in range(2):
        prepared = prepare_kinetics(
            sources, tmp_path / "clips", out, encoding=encoding, processes=2, seconds=60
        )
        assert (out / "train.csv").read_text() == "videos/bb_000005_000015.mp4 399\n"
        ((path, reason),) = prepared.not_encoded
        assert path == str(tmp_path / "clips" / "aa_000000_000010.mp4")
        assert reason
        assert any(line.startswith(f"  not encoded: {path}: ") for line in report_lines(prepared))
    assert (out / "val.csv").read_text() == "videos/d d_000000_000010.mp4 0\n"
    index = read_index(out / "videos" / "d d_000000_000010.mp4")
    assert (index.height, index.width, index.gop_length, index.num_frames) == (64, 80, 4, 12)


@pytest.mark.parametrize(
    ("annotation", "videos", "error", "message"),
    [
        ("none.csv", "clips", FileNotFoundError, "none.csv: no such annotation file"),
        ("a_train.csv", "none", FileNotFoundError, "none: no such folder"),
        ("empty.csv", "clips", ValueError, "empty.csv: no clips in it"),
        ("list.csv", "clips", ValueError, "list.csv: its first line must name the columns youtube"),
        ("a_train.csv", "other", ValueError, "none of the clips is there.*aa_000000_000010.mp4"),
    ],
)
def test_what_can_not_be_prepared(tmp_path, sources, annotation, videos, error, message):
    annotations(tmp_path / "empty.csv")
    (tmp_path / "list.csv").write_text("a.mp4 1\n")
    touch(tmp_path / "other" / "x.mp4")
    with pytest.raises(error, match=message):
        prepare_kinetics({"train": tmp_path / annotation}, tmp_path / videos, tmp_path / "out")
    assert not (tmp_path / "out").exists()
