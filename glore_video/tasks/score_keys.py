"""Which keys of the configuration what a test has seen of each sample may depend on."""

from __future__ import annotations


def changes_scores(key: str) -> bool:
    """Whether a test's logits may depend on a key of the configuration, "DATA.MEAN".

    At most rounding depends on the others. A new key counts as one that changes them.
    """
    section, _, name = key.rpartition(".")
    if section == "TRAIN":
        return name in ("MIXED_PRECISION", "AMP_DTYPE", "FP32_PRECISION")
    if section in (
        "SOLVER",
        "BN",
        "TENSORBOARD",
        "DATA_LOADER",
        "SYNTHETIC",
        "AUG",
        "MIXUP",
        "LOSS",
        "",
    ):
        return False
    if section == "TEST":
        return name not in (
            *("ENABLE", "DATASET", "BATCH_SIZE", "CHECKPOINT_FILE_PATH", "SAVE_PREDICTIONS"),
        )
    if section == "MODEL" and name in (
        *("LOSS_FUNC", "BCE_TARGET_THRESHOLD", "COMPILE", "COMPILE_MODE"),
    ):
        return False
    return not name.startswith(("PATH_", "CLASS_NAMES_PATH", "MAX_BAD_FRACTION"))
