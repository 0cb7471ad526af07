"""Whether a probability means what it says: accuracy by confidence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CALIBRATION_BINS = 15


@dataclass(frozen=True)
class Bin:
    """Samples whose greatest probability is in (low, high]: how many, and their means in 0 .. 1.

    A probability of 0 is in the first bin.
    """

    low: float
    high: float
    samples: int
    confidence: float
    accuracy: float


def reliability(
    confidence: np.ndarray, right: np.ndarray, *, bins: int = CALIBRATION_BINS
) -> list[Bin]:
    """The bins that hold samples. Their gaps, weighted by samples, add up to the calibration error.

    Args:
        confidence: float (samples,) in 0 .. 1, of the predicted class.
        right: bool (samples,).
    """
    edges = np.linspace(0, 1, bins + 1)
    places = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    counts = np.bincount(places, minlength=bins)
    confidences = np.bincount(places, weights=confidence, minlength=bins)
    rights = np.bincount(places, weights=right, minlength=bins)
    return [
        Bin(
            low=float(edges[n]),
            high=float(edges[n + 1]),
            samples=int(counts[n]),
            confidence=float(confidences[n] / counts[n]),
            accuracy=float(rights[n] / counts[n]),
        )
        for n in np.flatnonzero(counts).tolist()
    ]
