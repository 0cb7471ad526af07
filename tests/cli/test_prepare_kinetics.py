"""The command as it is called: output and exit status."""

import pytest
from encoded_videos import encode

from glore_video.cli.prepare_kinetics import main
from glore_video.video import read_index


@pytest.fixture
def arguments(tmp_path):
    (tmp_path / "clips").mkdir()
    encode(tmp_path / "clips" / "abc_000001_000011.mp4", numbers=range(9))
    (tmp_path / "a.csv").write_text(
        "label,youtube_id,time_start,time_end,split\nzumba,abc,1,11,val\nzumba,x,1,11,val\n"
    )
    places = {"--val": "a.csv", "--videos": "clips", "--out": "öut put"}
    return {option: str(tmp_path / name) for option, name in places.items()}


def flat(arguments):
    return [word for pair in arguments.items() for word in pair]


def test_lists_and_coverage(arguments, tmp_path, capsys):
    assert main(flat(arguments)) == 0
    out = capsys.readouterr().out
    assert "val             2        1    50.0%          1" in out
    assert "val: 1 of 2 clips of 'zumba'" in out
    assert (tmp_path / "öut put" / "val.csv").read_text() == (
        f"{tmp_path}/clips/abc_000001_000011.mp4 399\n"
    )


def test_encoding_anew(arguments, tmp_path):
    assert main([*flat(arguments), "--reencode", "32", "--gop", "3", "--processes", "1"]) == 0
    assert (tmp_path / "öut put" / "val.csv").read_text() == "videos/abc_000001_000011.mp4 399\n"
    index = read_index(tmp_path / "öut put" / "videos" / "abc_000001_000011.mp4")
    assert (index.height, index.width, index.gop_length) == (32, 48, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"--val": "/none.csv"}, "/none.csv: no such annotation file"),
        ({"--videos": "/none"}, "/none: no such folder"),
        ({"--reencode": "255"}, "--reencode: short side 255: must be even"),
        ({"--out": "/proc/none"}, "/proc/none"),
    ],
)
def test_user_errors_are_one_line(arguments, capsys, changes, message):
    assert main(flat(arguments | changes)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert message in line


def test_a_split_is_needed(arguments, capsys):
    del arguments["--val"]
    with pytest.raises(SystemExit) as stopped:
        main(flat(arguments))
    assert stopped.value.code == 2
    assert "--train, --val, --test" in capsys.readouterr().err
