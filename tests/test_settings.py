"""What holds for all tests: which warnings are errors, how tests are named."""

import gc
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest

TESTS = Path(__file__).parent
# Other scripts among the tests are run by hand, to make files anew.
IMPORTED = ("test_*.py", "conftest.py", "helpers/*.py")
MODULES = sorted({path.stem for pattern in IMPORTED for path in TESTS.rglob(pattern)})


def errors(module):
    """The kinds of warnings in a module that are errors."""
    found = []
    for kind in (UserWarning, FutureWarning, DeprecationWarning):
        try:
            with warnings.catch_warnings(record=True):  # which leaves the filters as they are
                warnings.warn_explicit("old", kind, "some.py", 1, module=module)
        except kind:
            found.append(kind)
    return found


OURS = ["glore_video.cli.main", "glore_video.video.reader", "hubconf", *MODULES]


@pytest.mark.parametrize("module", OURS)
def test_warnings_of_our_code_are_errors(module):
    assert errors(module) == [UserWarning, FutureWarning, DeprecationWarning]


@pytest.mark.parametrize("module", ["torch.nn.functional", "av.container", "torchvision.io", "sys"])
def test_warnings_of_others_are_not(module):
    assert errors(module) == []


def test_what_is_called_may_warn_in_our_name():
    def deprecated():
        warnings.warn("use another", FutureWarning, stacklevel=2)

    with pytest.raises(FutureWarning, match="use another"):
        deprecated()


def test_files_that_are_not_closed_are_errors(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", lambda told: seen.append(told.exc_value))
    (tmp_path / "a").write_text("a")
    (tmp_path / "a").open().read()
    gc.collect()
    assert [type(error) for error in seen] == [ResourceWarning]


@pytest.mark.parametrize(
    "name", ["a" * 200, r"\x00\x00\x01", "two\nlines"], ids=["long", "bytes", "two lines"]
)
def test_names_that_are_no_names(name, pytestconfig):
    check = pytestconfig.pluginmanager.get_plugin(str(TESTS / "conftest.py"))
    with pytest.raises(pytest.UsageError, match="give the parameters readable ids=: a.py::test"):
        check.pytest_collection_modifyitems([SimpleNamespace(nodeid=f"a.py::test[{name}]")])
