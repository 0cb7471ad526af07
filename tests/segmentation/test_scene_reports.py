"""report.html of a segmentation: the worst pictures, and the page written anew."""

import re
import shutil

import pytest
from run_files import flat, one_error_line

from glore_video.cli.main import main


@pytest.fixture
def run(cfg, options, scenes, tmp_path):
    """A function that runs a test with these keys, and gives the folder of a copy of the data and that
    of the test."""

    def run(**keys):
        data = tmp_path / "data"
        shutil.copytree(scenes, data)
        pairs = options | {"DATA.PATH_TO_DATA_DIR": data, "SOLVER.MAX_EPOCH": 1}
        pairs |= {name.replace("__", "."): value for name, value in keys.items()}
        assert main([*cfg, *flat(pairs)]) == 0
        return data, options["OUTPUT_DIR"] / "test"

    return run


def shown(page):
    """What is to be seen of the worst pictures."""
    return re.findall(r'<figure><img src="data:image/\w+;base64,[^"]+" alt="(\w+)">', page)


ALL = ["picture", "truth", "prediction", "wrong"]


@pytest.mark.parametrize("saved", [False, True])
def test_the_worst_pictures_are_shown_and_again_if_predictions_are_kept(run, capsys, saved):
    _, test = run(TEST__SAVE_PREDICTIONS=saved)
    page = test / "report.html"
    first = page.read_bytes()
    assert shown(first.decode()) == 5 * ALL
    page.unlink()
    assert main(["report", str(test.parent)]) == 0
    assert f"wrote {page}" in capsys.readouterr().out
    if saved:
        assert page.read_bytes() == first
    else:
        assert shown(page.read_text(encoding="utf-8")) == 5 * ALL[:2]


def test_without_data(run, capsys):
    data, test = run()
    first = (test / "report.html").read_text(encoding="utf-8")
    shutil.rmtree(data / "masks")
    assert main(["report", str(test)]) == 2
    assert one_error_line(capsys).endswith("--no-pictures writes the report without data")
    assert main(["report", str(test), "--no-pictures"]) == 0
    page = (test / "report.html").read_text(encoding="utf-8")
    assert shown(page) == []
    assert page.count("no pictures") == 5

    def classes(text):
        return re.findall(r'<i class="swatch" style="background:#\w{6}"></i> \w+', text)

    assert classes(page) == classes(first)
    assert len(classes(page)) == 2


def test_a_picture_that_is_gone_has_no_frames(run):
    data, test = run(TEST__SAVE_PREDICTIONS=True)
    (data / "images" / "val" / "02.png").unlink()
    assert main(["report", str(test)]) == 0
    page = (test / "report.html").read_text(encoding="utf-8")
    assert len(shown(page)) == 16
    assert page.count("no pictures") == 1


def test_what_can_not_be_rebuilt_is_one_line(run, capsys):
    data, test = run()
    capsys.readouterr()
    assert main(["report", str(test), "--backend", "decord"]) == 2
    assert "--backend: " in one_error_line(capsys)
    (data / "class_names.txt").write_text("ground\nsquare\n")
    assert main(["report", str(test)]) == 2
    assert "its classes are not those of the data folder any more" in one_error_line(capsys)
    (test / "summary.json").unlink()
    assert main(["report", str(test), "--no-pictures"]) == 2
    assert "summary.json: no such file" in one_error_line(capsys)
    assert main(["report", str(data)]) == 2
    assert "holds no scores.npz or confusions.npz" in one_error_line(capsys)
