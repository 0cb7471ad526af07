import pytest

from glore_video.cli import main as cli
from glore_video.cli import serve as command


def test_help_is_its_own(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["serve", "--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert "--max-megabytes" in out
    assert "127.0.0.1" not in out or "only this machine by default" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no network is named: --weights of a run"),
        (["--weights", "nowhere"], "--weights = nowhere: no such file or folder"),
    ],
)
def test_errors_are_one_line(arguments, message, capsys):
    assert cli.main(["serve", *arguments]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert len(err.strip().splitlines()) == 1


def test_without_its_packages(monkeypatch, capsys):
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    assert cli.main(["serve", "--weights", "x"]) == 2
    assert "serving needs fastapi and uvicorn: pip install 'glore-video[serve]'" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("host", "hosts"), [("127.0.0.1", ("127.0.0.1", "localhost", "[::1]")), ("0.0.0.0", ("*",))]
)
def test_only_this_machine_by_default(host, hosts, tiny_checkpoint, monkeypatch, capsys):
    uvicorn = pytest.importorskip("uvicorn")
    app = pytest.importorskip("fastapi") and __import__(
        "glore_video.serving.app", fromlist=["create_app"]
    )
    seen = {}
    monkeypatch.setattr(app, "create_app", lambda ready, limits, hosts: seen.update(hosts=hosts))
    monkeypatch.setattr(uvicorn, "run", lambda app, **options: seen.update(options))
    extra = [] if host == "127.0.0.1" else ["--host", host]
    assert cli.main(["serve", "--weights", str(tiny_checkpoint), "--device", "cpu", *extra]) == 0
    assert (seen["host"], seen["hosts"]) == (host, hosts)
    assert ("no password" in capsys.readouterr().err) == (host != "127.0.0.1")
