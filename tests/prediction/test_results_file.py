import pytest

from glore_video.errors import UsageError
from glore_video.prediction.results_file import COLUMNS, Result, ResultsFile

TOP = (("a, b", 0.75), ('say "c"', 0.25))


def test_written_and_read_again(tmp_path):
    path = tmp_path / "out put.csv"
    first = Result("/x/é, ö.mp4", "11", TOP)
    second = Result("/x/bad\udcff.mp4", "11", reason="two\nlines")
    file = ResultsFile(path)
    file.append([first])
    file.append([second])
    assert file.finish([second.path, first.path], {}) == [
        Result(second.path, "11", reason="two lines"),
        first,
    ]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out put.csv"]
    lines = path.read_bytes().decode("utf-8", "surrogateescape").splitlines()
    assert lines[0] == ",".join(COLUMNS)
    assert lines[1] == "/x/bad\udcff.mp4,failed,two lines,11,,,,,,,,,,"
    assert lines[2] == ('"/x/é, ö.mp4",ok,,11,"a, b",0.750000,"say ""c""",0.250000,,,,,,')
    assert ResultsFile(path).known("11") == {first.path: first}  # what failed is tried again
    assert ResultsFile(path).known("12") == {}


def test_names_that_spreadsheets_run_as_formulas(tmp_path):
    """They are texts in the file, and themselves again for who goes on with it."""
    path = tmp_path / "a.csv"
    top = (("=1+2", 0.5), ("@sum", 0.25), ("'=quoted", 0.125), ("'s", 0.0625), ("a-b", 0.0625))
    result = Result("-_aB3.mp4", "n", top)
    bad = Result("\t=x.mp4", "n", reason="- not read")
    file = ResultsFile(path)
    file.append([result, bad])
    assert file.finish([result.path, bad.path], {}) == [result, bad]
    lines = path.read_text().splitlines()
    assert lines[1] == (
        "'-_aB3.mp4,ok,,n,'=1+2,0.500000,'@sum,0.250000,''=quoted,0.125000,'s,0.062500,a-b,0.062500"
    )
    assert lines[2].startswith("'\t=x.mp4,failed,'- not read,n,")
    assert ResultsFile(path).known("n") == {result.path: result}


def test_a_killed_run_goes_on(tmp_path):
    path = tmp_path / "a.csv"
    one, two = Result("1.mp4", "n", TOP), Result("2.mp4", "n", TOP)
    ResultsFile(path, rank=1).append([one])
    other = ResultsFile(path, rank=0)
    other.append([two])
    partial = tmp_path / "a.csv.partial-0"
    partial.write_bytes(
        partial.read_bytes() + b"3.mp4,ok,,n,x,0.5,y,0.3,z,0.1,v,0.05,w,0.0"
    )  # killed within a line
    file = ResultsFile(path, rank=0)
    assert file.known("n") == {"1.mp4": one, "2.mp4": two}
    three = Result("3.mp4", "n", TOP)
    file.append([three])
    known = ResultsFile(path).known("n")
    assert file.finish(["1.mp4", "2.mp4", "3.mp4"], known) == [one, two, three]


def test_other_videos_stay_in_the_file(tmp_path):
    file = ResultsFile(tmp_path / "a.csv")
    one, two = Result("1.mp4", "n", TOP), Result("2.mp4", "n", TOP)
    gone = Result("gone.mp4", "n", reason="missing")
    assert file.finish(["1.mp4", "gone.mp4"], {"1.mp4": one, "gone.mp4": gone}) == [one, gone]
    assert file.finish(["2.mp4"], {"2.mp4": two}) == [two]
    assert file.known("n") == {"2.mp4": two, "1.mp4": one}
    assert "gone" not in (tmp_path / "a.csv").read_text()


def test_somebody_elses_file_is_not_touched(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("path,label\n")
    with pytest.raises(ValueError, match="there, but not written by this"):
        ResultsFile(path).known("n")
    assert path.read_text() == "path,label\n"


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ("1.mp4,ok,,n,x,half" + "," * 8, "could not convert"),
        (f'"{"x" * 200_000}",ok', "field larger"),
    ],
    ids=["number", "length"],
)
def test_results_that_are_none_are_the_users(tmp_path, cells, said):
    path = tmp_path / "a.csv"
    path.write_text(",".join(COLUMNS) + f"\n{cells}\n")
    with pytest.raises(UsageError, match=rf"a\.csv:2: no results of predictions \({said}"):
        ResultsFile(path).known("n")
