"""How float32 products are computed: torch's switches, which hold for a whole process."""

import pytest
import torch
from fresh_python import fresh_python

from glore_video.engine.precision import set_fp32_precision

cudnn = torch.backends.cudnn


@pytest.fixture(autouse=True)
def switches():
    before = torch.get_float32_matmul_precision(), cudnn.allow_tf32
    yield
    torch.set_float32_matmul_precision(before[0])
    cudnn.allow_tf32 = before[1]


@pytest.mark.parametrize(
    ("precision", "products", "convolutions"),
    [("highest", "highest", False), ("high", "high", True), ("medium", "medium", True)],
)
@pytest.mark.parametrize("before", ["highest", "medium"])
def test_products_and_convolutions_agree(precision, products, convolutions, before):
    set_fp32_precision(before)
    set_fp32_precision(precision)
    assert torch.get_float32_matmul_precision() == products
    assert cudnn.allow_tf32 == convolutions


@pytest.mark.parametrize("before", ["highest", "high"])
def test_the_default_leaves_what_somebody_has_set(before):
    set_fp32_precision(before)
    set_fp32_precision("default")
    assert torch.get_float32_matmul_precision() == before


FRESH = """
from glore_video.engine.precision import set_fp32_precision
set_fp32_precision("default")
assert torch.get_float32_matmul_precision() == "highest"
assert torch.backends.cudnn.allow_tf32
torch.backends.cuda.matmul.fp32_precision = "tf32"
torch.backends.cudnn.conv.fp32_precision = "ieee"
set_fp32_precision("high")
assert torch.get_float32_matmul_precision() == "high"
assert torch.backends.cudnn.allow_tf32
assert torch.backends.cudnn.conv.fp32_precision == "tf32"
"""


def test_torchs_own_settings_and_newer_words():
    """The documented meaning of "default", and that torch's newer switches do not make ours fail."""
    done = fresh_python("torch").run(f"import torch{FRESH}")
    assert done.returncode == 0, done.stderr
