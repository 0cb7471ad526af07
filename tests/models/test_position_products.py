import pytest
import torch

from glore_video.models.units.position_products import gather


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@pytest.mark.parametrize("channels_last", [False, True])
def test_covariance_where_the_mean_is_no_number_of_half_precision(dtype, channels_last):
    """B is 130 at four positions of five and 131 at the fifth; bf16 has no 130.2."""
    x = (torch.arange(100) % 5 == 0).to(dtype).view(1, 1, 100).expand(2, 1, 100).contiguous()
    weight, bias = torch.ones(1, 1, dtype=dtype), torch.full((1,), 130.0, dtype=dtype)
    gathered = gather(x, weight, bias, channels_last=channels_last, covariance=True)
    assert gathered.nodes.unique().tolist() == [130, 131]
    torch.testing.assert_close(gathered.mean, torch.full((2, 1, 1), 130.2))
    torch.testing.assert_close(gathered.covariance, torch.full((2, 1, 1), 0.16), rtol=0.01, atol=0)
    # B x: 131 at every fifth position.
    assert gathered.graph.flatten().tolist() == pytest.approx([131 / 5] * 2, rel=0.01)
