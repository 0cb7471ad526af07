"""Made-up tests for tests of pages."""

import numpy as np

from glore_video.tasks.classification import SavedScores, ViewPlan
from glore_video.tasks.sample_kinds import VIDEO

NASTY = "</script><script>document.title='taken'</script> & \"q\" 'q' <img src=x onerror=alert(1)>"


def example(videos=120, classes=6, clips=4, crops=3, seed=0, names=None, kind=VIDEO):
    """Some classes are easy and some are hard; class 1 is often taken for class 2."""
    rng = np.random.default_rng(seed)
    labels = np.arange(videos) % classes
    logits = rng.normal(size=(videos, clips * crops, classes)).astype(np.float32)
    logits += rng.normal(0, 1.5, size=(videos, 1, classes)).astype(np.float32)
    logits[np.arange(videos), :, labels] += 4 * rng.random((videos, 1), dtype=np.float32)
    logits[labels == 1, :, 2] += 3
    names = names or [f"class {number}" for number in range(classes)]
    return SavedScores(
        source="made up",
        paths=tuple(f"/data/{names[label]}/{n}.mp4" for n, label in enumerate(labels)),
        labels=labels,
        logits=logits,
        class_names=tuple(names),
        plan=ViewPlan(clips=clips, crops=crops, spacing="slowfast", short_side=256),
        kind=kind,
    )


SUMMARY = {
    "failed": [{"path": f"/data/{NASTY}.mp4", "reason": NASTY}],
    "left_out": [{"path": "/data/b.mp4", "reason": "cut off after 3 frames"}] * 2,
    "seconds": 12.5,
    "checkpoint": f"weights {NASTY}.pyth",
    "parameters": 33_732_000,
    "gmacs": 31.92,
}
