"""Fewer views computed from the saved logits, against a test that takes fewer views."""

import json

import pytest
import torch

from glore_video.cli.main import main
from glore_video.config import load_config
from glore_video.models import save_weights
from glore_video.runs.network import build_model
from glore_video.tasks.classification import ensemble, load_scores
from glore_video.tasks.classification.metrics import accuracies


@pytest.fixture
def run_test(options, tmp_path):
    """Runs a test of the same random weights with some keys changed; gives its test folder."""
    (tmp_path / "empty.yaml").write_text("")
    # One view a forward pass: larger ones round differently with their size.
    options |= {"TRAIN.ENABLE": False, "TEST.BATCH_SIZE": 1, "DATA.TEST_SHORT_SIDE": 36}
    options |= {"TEST.CHECKPOINT_FILE_PATH": tmp_path / "weights.pyth"}
    torch.manual_seed(0)
    config = load_config(None, [str(word) for pair in options.items() for word in pair])
    save_weights(build_model(config), tmp_path / "weights.pyth")

    def run(changes):
        settings = options | changes
        words = [str(word) for pair in settings.items() for word in pair]
        assert main(["--cfg", str(tmp_path / "empty.yaml"), *words]) == 0
        return settings["OUTPUT_DIR"] / "test"

    return run


@pytest.mark.parametrize(
    ("spacing", "saved", "wanted"), [("slowfast", 4, 2), ("ends", 7, 3), ("slowfast", 6, 3)]
)
def test_equals_a_test_with_fewer_views_to_the_bit(
    run_test, options, tmp_path, spacing, saved, wanted
):
    options |= {"TEST.VIEW_SPACING": spacing}
    whole = run_test({"TEST.NUM_ENSEMBLE_VIEWS": saved})
    for crops in (3, 1):
        fewer = run_test(
            {
                "TEST.NUM_ENSEMBLE_VIEWS": wanted,
                "TEST.NUM_SPATIAL_CROPS": crops,
                "OUTPUT_DIR": tmp_path / f"{crops} crops",
            },
        )
        from_saved = ensemble([load_scores(whole)], clips=wanted, crops=crops)
        tested = ensemble([load_scores(fewer)], clips=wanted, crops=crops)
        assert from_saved.choice.exact
        assert from_saved.probabilities.tolist() == tested.probabilities.tolist()
        summary = json.loads((fewer / "summary.json").read_text())
        figures = accuracies(from_saved.probabilities, from_saved.labels)
        assert (figures.top1, figures.class_mean) == (
            summary["video_top1"],
            summary["mean_class_accuracy"],
        )


def test_short_side_of_a_test_with_one_crop_may_differ(run_test, options, tmp_path):
    """As the note says: with TEST_SHORT_SIDE 0 it is another one, and so are the logits."""
    options |= {"DATA.TRAIN_JITTER_SCALES": "[40, 40]"}
    whole = run_test({"DATA.TEST_SHORT_SIDE": 0})
    fewer = run_test(
        {
            "DATA.TEST_SHORT_SIDE": 0,
            "TEST.NUM_SPATIAL_CROPS": 1,
            "OUTPUT_DIR": tmp_path / "1 crop",
        }
    )
    assert load_scores(whole).plan.short_side == 32
    assert load_scores(fewer).plan.short_side == 40
    from_saved = ensemble([load_scores(whole)], clips=2, crops=1)
    assert "the short side 32 of this test" in from_saved.choice.notes[0]
    tested = ensemble([load_scores(fewer)], clips=2, crops=1)
    assert from_saved.probabilities.tolist() != tested.probabilities.tolist()
