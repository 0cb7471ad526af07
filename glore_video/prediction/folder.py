"""Predictions for a folder of files, however many: shared out to processes, resumable."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from glore_video.data.folders import LeftOut, samples_below
from glore_video.data.loader import views_loader
from glore_video.data.sample_kind import SampleKind
from glore_video.data.watchdog import Watchdog
from glore_video.engine.launch.processes import Process
from glore_video.engine.run_log import progress
from glore_video.errors import UsageError
from glore_video.prediction.drawings import Drawings
from glore_video.prediction.results_file import PLACES, Result, ResultsFile, fingerprint
from glore_video.tasks.predictor import Predictor

logger = logging.getLogger(__name__)


def files_below(kind: SampleKind, folder: Path) -> list[str]:
    """Paths of all files of a kind below a folder, through links too; the log says what is passed over.

    Raises UsageError if there are none.
    """
    left_out = LeftOut()
    found = list(samples_below(kind, folder, left_out))
    notes = left_out.notes(folder)
    if not found:
        suffixes = ", ".join(sorted(kind.suffixes))
        none = f"no {kind.words} in it or in folders below it ({suffixes})"
        raise UsageError("; ".join((f"{folder}: {none}", *notes)))
    for note in notes:
        logger.warning("%s", note)
    return found


def predict_files(
    paths: Sequence[str],
    predictor: Predictor,
    file: Path,
    *,
    process: Process,
    workers: int = 0,
    timeout: float = 0.0,
    drawings: Drawings | None = None,
) -> list[Result] | None:
    """Predict each file and write `file`, a CSV.

    Every finished prediction is on disk at once; the same call again goes on where a stopped one was,
    tries again what failed, and predicts anew where weights or views are others.

    Args:
        paths: files; of several processes all are given all.
        file: on a disk that all processes see.
        process: this process among those that share the work.
        workers: processes that read files beside this one.
        drawings: where each prediction is drawn too; a file whose drawing is missing is predicted again.
        timeout: seconds after which reading a file is given up; 0: never. Needs workers.

    Returns:
        All results in the order of the paths on the main process, None on the others.

    Raises:
        ValueError: if `file` is there and is something else.
    """
    results = ResultsFile(file, rank=process.rank, measure=predictor.measure)
    network = fingerprint(predictor)
    known = results.known(network)
    process.barrier()  # nobody writes before all have read
    missing = [
        index
        for index, path in enumerate(paths)
        if path not in known or not (drawings is None or drawings.are_there(path))
    ]
    own = missing[process.rank :: process.world_size]
    file.parent.mkdir(parents=True, exist_ok=True)
    watchdog = Watchdog(timeout) if timeout and workers else None
    loader = views_loader(
        predictor.items(paths, indices=own, watchdog=watchdog), num_workers=min(workers, len(own))
    )
    for item in progress(
        loader, total=len(own), name=predictor.kind.words, is_main=process.is_main
    ):
        path = paths[item.index]
        if item.views is None:
            result = Result(path, network, reason=item.failures[-1][1])
        else:
            try:
                prediction = predictor.prediction_of(item.views, path)
            except UsageError as error:  # its scores are not finite, say
                result = Result(path, network, reason=str(error))
            else:
                if drawings is not None:
                    drawings.write(prediction, path)
                result = Result(path, network, tuple(prediction.top(PLACES)))
        results.append([result])
    process.barrier()
    return results.finish(paths, known) if process.is_main else None
