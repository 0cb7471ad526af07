"""report.html: what stands in it, and that nothing of the user's becomes markup."""

import json
import os
import re
import time
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from report_examples import NASTY, SUMMARY, example

from glore_video.tasks.classification import save_scores
from glore_video.tasks.classification.report import make_report, write_report


class Page(HTMLParser):
    """Tags, table rows by table id, and figures by name."""

    def __init__(self, content):
        super().__init__()
        self.tags, self.tables, self.text = [], {}, []
        self._table = self._row = None
        self.feed(content.decode())

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "table":
            self._table = dict(attributes).get("id")
            self.tables[self._table] = []
        elif tag == "tr":
            self._row = []
            self.tables[self._table].append(self._row)
        elif tag in ("td", "th"):
            self._row.append("")

    def handle_data(self, data):
        self.text.append(data)
        if self._row:
            self._row[-1] += data

    def handle_endtag(self, tag):
        if tag == "tr":
            self._row = None

    @property
    def visible(self):
        return re.sub(r"\s+", " ", " ".join(self.text))


def page_of(scores, summary=SUMMARY, **more):
    return Page(make_report(scores, summary, name="my run", **more))


def test_figures_and_tables():
    scores = example(videos=6, classes=3, clips=2, crops=1)
    # 0 -> 0, 1 -> 2, 2 -> 2, 0 -> 0, 1 -> 1, 2 -> 0, all sure.
    said = np.array([0, 2, 2, 0, 1, 0])
    logits = 9 * np.eye(3, dtype=np.float32)[said][:, None].repeat(2, axis=1)
    page = page_of(replace(scores, logits=logits))
    assert "video top-1 66.67%" in page.visible
    assert "mean class accuracy 66.67%" in page.visible
    assert "videos scored 6 of 9" in page.visible
    assert "33.73 M" in page.visible
    assert "31.92 x 2" in page.visible
    rows = [[" ".join(cell.split()) for cell in row] for row in page.tables["classes"][1:]]
    assert rows == [
        ["class 0", "2", "100.0%", "66.7%", ""],
        ["class 1", "2", "50.0%", "100.0%", "class 2 (1)"],
        ["class 2", "2", "50.0%", "50.0%", "class 0 (1)"],
    ]
    assert page.tables["pairs"][1:] == [
        ["class 1", "class 2", "1", "50.0%"],
        ["class 2", "class 0", "1", "50.0%"],
    ]
    assert len(page.tables["left_out"]) == 3
    (data,) = (json.loads(text) for text in page.text if text.startswith('{"cells"'))
    assert data["cells"] == [0, 0, 2, 1, 1, 1, 1, 2, 1, 2, 0, 1, 2, 2, 1]


def test_nothing_of_the_user_becomes_markup():
    names = [NASTY, "b", "c"]
    page = page_of(example(classes=3, names=names), config=f"OUTPUT_DIR: {NASTY}")
    assert [tag for tag, _ in page.tags if tag == "script"] == ["script"] * 2  # data and code
    assert not [attributes for _, attributes in page.tags if "onerror" in attributes]
    assert page.tables["classes"][1][0] == NASTY
    assert page.tables["failed"][1] == [f"/data/{NASTY}.mp4", NASTY]
    assert f"OUTPUT_DIR: {NASTY}" in "".join(page.text)


def test_asks_nothing_of_the_network():
    page = page_of(example(), frames_of=lambda path: np.zeros((2, 30, 40, 3), np.uint8))
    for tag, attributes in page.tags:
        for name in ("src", "href", "data", "action", "srcset"):
            assert attributes.get(name, "data:").startswith("data:"), (tag, attributes)
    content = make_report(example(), SUMMARY, name="x").decode()
    assert "default-src 'none'" in content
    assert "url(" not in content
    assert "@import" not in content
    assert "://" not in content


def test_pictures_of_mistakes(caplog):
    asked = []

    def frames_of(path):
        asked.append(path)
        if len(asked) == 2:
            raise OSError("gone")
        return np.full((3, 90, 160, 3), 128, dtype=np.uint8)

    page = page_of(example(), frames_of=frames_of)
    pictures = [attributes["src"] for tag, attributes in page.tags if tag == "img"]
    assert len(asked) == 24
    assert len(pictures) == 3 * 23
    assert all(source.startswith("data:image/jpeg;base64,") for source in pictures)
    assert "no pictures" in page.visible
    assert f"no pictures of {asked[1]} for the report: gone" in caplog.text


def test_nothing_was_scored():
    page = page_of(example(videos=0))
    assert "video top-1 -" in page.visible
    assert "0 of 3 videos were scored" in page.visible


def test_all_right_and_one_view():
    scores = example(videos=12, clips=1, crops=1)
    logits = 9 * np.eye(6, dtype=np.float32)[scores.labels][:, None]
    page = page_of(replace(scores, logits=logits), {})
    assert "video top-1 100.00% 95%: 73.54 to 100.00" in page.visible
    assert "One number of views: 100.00% with 1 x 1" in page.visible


def test_many_unscored_are_cut():
    failed = [{"path": f"{n}.mp4", "reason": "gone"} for n in range(1203)]
    page = page_of(example(), {"failed": failed})
    assert len(page.tables["failed"]) == 1001
    assert "and 203 more, in summary.json" in page.visible


def test_from_the_files_of_a_test(tmp_path):
    folder = tmp_path / "öut <put>" / "test"
    folder.mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="scores.npz: no such file"):
        write_report(folder)
    scores = replace(example(), paths=(os.fsdecode(b"caf\xe9.mp4"), *example().paths[1:]))
    save_scores(folder / "scores.npz", scores)
    with pytest.raises(FileNotFoundError, match="summary.json: no such file"):
        write_report(folder)
    (folder / "summary.json").write_text("{")
    with pytest.raises(ValueError, match="summary.json: is no JSON"):
        write_report(folder)
    (folder / "summary.json").write_text("[]")
    with pytest.raises(ValueError, match="summary.json: is no summary of a test, but a list"):
        write_report(folder)
    (folder / "summary.json").write_text(json.dumps(SUMMARY))
    (folder.parent / "config.yaml").write_text("RNG_SEED: 7\n")
    path = write_report(folder)
    assert path == folder / "report.html"
    page = Page(path.read_bytes())
    assert "öut <put>" in page.visible
    assert "RNG_SEED: 7" in page.visible
    assert sorted(each.name for each in folder.iterdir()) == [
        "report.html",
        "scores.npz",
        "summary.json",
    ]


@pytest.mark.slow
def test_size_and_time_of_a_large_test():
    names = [f"class number {number}" for number in range(400)]
    scores = example(videos=20_000, classes=400, clips=3, crops=1, names=names)
    noise = np.random.default_rng(0).integers(0, 256, (3, 240, 320, 3), dtype=np.uint8)
    start = time.perf_counter()
    content = make_report(scores, SUMMARY, name="large", frames_of=lambda path: noise)
    assert time.perf_counter() - start < 60
    assert len(content) < 15e6
