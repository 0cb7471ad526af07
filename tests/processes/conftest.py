"""Folders that look like /proc and /sys of machines and containers."""

import pytest


@pytest.fixture
def machine_files(tmp_path):
    """Files of a machine: {path: text} -> its root."""

    def root(files):
        for path, text in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        return tmp_path

    return root
