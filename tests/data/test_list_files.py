"""Lists and class names are read by one rule; a video has one label."""

import pytest

from glore_video.data.check_sources import list_samples
from glore_video.data.class_lists import load_class_names
from glore_video.data.video.splits import load_split
from glore_video.data.video.video_files import VIDEOS

ODD = "up\u2028down\nleft\u0085right\nta\x0bb\x1cc\n"


@pytest.mark.parametrize("start", ["", "\ufeff"], ids=["plain", "byte order mark"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_class_names_end_at_newlines_only(tmp_path, start, end):
    text = start + "walk\n" + ODD + "\n"
    (tmp_path / "class_names.txt").write_bytes(text.replace("\n", end).encode())
    names = ("walk", "up\u2028down", "left\u0085right", "ta\x0bb\x1cc")
    assert load_class_names(VIDEOS, tmp_path, num_classes=4) == names


def test_class_names_that_are_no_text_are_named(tmp_path):
    (tmp_path / "class_names.txt").write_bytes("é\nö\n".encode("utf-16"))
    with pytest.raises(ValueError, match=r"class_names\.txt: not a text file in UTF-8"):
        load_class_names(VIDEOS, tmp_path, num_classes=2)


def test_paths_end_at_newlines_only(tmp_path):
    (tmp_path / "a\u2028b\u0085.mp4").touch()
    (tmp_path / "train.csv").write_text("a\u2028b\u0085.mp4 1\n", encoding="utf-8")
    videos = load_split(tmp_path, "train", num_classes=2)
    assert list(videos.paths()) == [str(tmp_path / "a\u2028b\u0085.mp4")]


@pytest.mark.parametrize(
    "read",
    [
        lambda folder: load_split(folder, "train", num_classes=2),
        lambda folder: list_samples(VIDEOS, folder / "train.csv", folder / "m.csv"),
    ],
    ids=["run", "check"],
)
def test_a_video_with_two_labels_is_refused_with_both_and_their_lines(tmp_path, read):
    (tmp_path / "a b.mp4").touch()
    lines = ["a b.mp4 0", "c.mp4 1", "c.mp4 1", "", "./a b.mp4 1", "c.mp4 0"]
    (tmp_path / "train.csv").write_text("\n".join(lines))
    message = (
        r"train\.csv: \./a b\.mp4 has label 0 in line 1 and label 1 in line 5, "
        "and 1 more videos have two labels"
    )
    with pytest.raises(ValueError, match=message):
        read(tmp_path)


def test_a_check_says_what_is_listed_again(tmp_path):
    (tmp_path / "train.csv").write_text("a.mp4 0\nb.mp4 1\n./a.mp4 0\n")
    (note,) = list_samples(VIDEOS, tmp_path / "train.csv", tmp_path / "m.csv").notes
    assert note == (
        f"{tmp_path / 'train.csv'}: 1 videos are listed more than once, {tmp_path / 'a.mp4'} among them"
    )


def test_a_clip_with_two_labels_in_an_annotation_file_is_refused(tmp_path):
    rows = ["abseiling,x,0,10", "arm wrestling,x,0,10", "arm wrestling,x,10,20"]
    text = "\n".join(["label,youtube_id,time_start,time_end", *rows])
    (tmp_path / "val.csv").write_text(text)
    message = "x_000000_000010 has label 0 in line 2 and label 6 in line 3; a video has one"
    with pytest.raises(ValueError, match=message):
        load_split(tmp_path, "val", num_classes=400)
