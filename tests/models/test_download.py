import hashlib
import http.server
import logging
import threading

import pytest

from glore_video.errors import UsageError
from glore_video.models.weights.download import fetch, is_url


@pytest.fixture
def server(tmp_path, monkeypatch):
    """(URL of a folder, that folder, paths asked for); the cache is tmp_path / "cache"."""
    folder = tmp_path / "www"
    (folder / "zoo").mkdir(parents=True)
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, *arguments):
            asked.append(self.path)

    monkeypatch.setenv("GLORE_VIDEO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    logging.getLogger("iopath").setLevel(logging.CRITICAL)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}", folder, asked
        httpd.shutdown()
        thread.join()


def test_a_file_is_fetched_once_and_its_hash_noted(server, tmp_path):
    url, folder, asked = server
    (folder / "zoo" / "w.pth").write_bytes(b"weights")
    path = fetch(f"{url}/zoo/w.pth")
    assert path == tmp_path / "cache" / "127.0.0.1" / "zoo" / "w.pth"
    assert path.read_bytes() == b"weights"
    note = path.with_name("w.pth.sha256").read_text()
    assert note == f"{hashlib.sha256(b'weights').hexdigest()}  w.pth\n"
    assert fetch(f"{url}/zoo/w.pth") == path
    assert asked == ["/zoo/w.pth"]


def test_a_file_that_changed_is_refused(server):
    url, folder, _ = server
    (folder / "w.pth").write_bytes(b"weights")
    path = fetch(f"{url}/w.pth")
    path.write_bytes(b"other")
    with pytest.raises(ValueError, match=r"w\.pth has changed since .* has [0-9a-f]{64}; delete"):
        fetch(f"{url}/w.pth")


def test_a_hash_in_the_name_is_held(server):
    url, folder, _ = server
    good = f"net-{hashlib.sha256(b'weights').hexdigest()[:8]}.pth"
    for name in (good, "net-00000000.pth"):
        (folder / name).write_bytes(b"weights")
    assert fetch(f"{url}/{good}").read_bytes() == b"weights"
    with pytest.raises(ValueError, match=r"its name says 00000000\.\.\.; delete it"):
        fetch(f"{url}/net-00000000.pth")


def test_what_cannot_be_fetched(server):
    url, _, _ = server
    message = r"cannot download http://127.*/none\.pth \(HTTP Error 404.*give the path of none\.pth"
    with pytest.raises(FileNotFoundError, match=message):
        fetch(f"{url}/none.pth")
    with pytest.raises(FileNotFoundError, match=r"cannot download .*refused.*path of w\.pth"):
        fetch("http://127.0.0.1:9/w.pth")


def test_urls_of_files(tmp_path):
    path = tmp_path / "a file.pth"
    assert fetch(path.as_uri()) == path
    assert is_url(path.as_uri())
    assert is_url("https://host/w.pth")
    assert not is_url(str(path))
    assert not is_url(path)


@pytest.mark.parametrize("url", ["http://[", "http://a b/c.pyth"], ids=["brackets", "space"])
def test_what_is_no_address_is_the_users(url):
    with pytest.raises(UsageError, match="is not an address|cannot download"):
        fetch(url)
