"""Argument types that several commands share."""

import argparse

import pytest
import torch

from glore_video.arguments import add_model_arguments, device, positive


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "", "²", "one"])
def test_no_positive_number(text):
    with pytest.raises(argparse.ArgumentTypeError, match="must be a whole number from 1 on, got"):
        positive(text)


def test_positive():
    assert positive("12") == 12


@pytest.mark.parametrize("text", ["cpu", "cpu:0", "mps"])
def test_devices(text):
    assert device(text) == text
    assert str(torch.device(text)) == text


@pytest.mark.parametrize("text", ["gpu", "cuda:", "cuda:01", "cuda:-1", "cpu ", ""])
def test_no_devices(text):
    with pytest.raises(argparse.ArgumentTypeError, match="is no device; cpu, cuda or cuda:0 is"):
        device(text)


def test_a_gpu_must_be_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(argparse.ArgumentTypeError, match="torch sees no GPU on this machine"):
        device("cuda:0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device("cuda:0") == "cuda:0"


def test_a_device_is_asked_for_only_where_one_is_named():
    parser = argparse.ArgumentParser()
    add_model_arguments(parser)
    assert parser.parse_args([]).device is None
