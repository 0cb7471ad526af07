"""Before a run: decode every video once, and write the manifest that runs take."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from glore_video.data.check_sources import list_samples
from glore_video.data.video.checking import check_videos, summary_lines
from glore_video.data.video.kinetics_coverage import compare_with_names
from glore_video.data.video.manifest import ManifestRow
from glore_video.data.video.manifest_place import manifest_of, use_line
from glore_video.data.video.reading_cost import advice_lines
from glore_video.data.video.video_files import VIDEOS
from glore_video.tasks.sample_checks import CheckRequest

FLAGS = frozenset({"--prefix", "--separator", "--like", "--timeout", "--again", "--against"})


def takes(source: Path, separator: str) -> bool:
    """All that nothing else takes: what is wrong with it is said in the words of videos."""
    return True


def check(request: CheckRequest, say: Callable[[str], None]) -> int:
    """Always ends with status 0: the manifest says what was found, and runs leave out what is bad."""
    manifest = request.out or manifest_of(request.source)
    if request.against:
        # To know now, and not hours later, that it is no list.
        compare_with_names([], request.against)
    listing = list_samples(
        VIDEOS,
        request.source,
        manifest,
        prefix=request.prefix,
        separator=request.separator,
        like=request.like,
    )
    for note in listing.notes:
        say(note)
    try:
        rows = check_videos(
            listing,
            manifest,
            processes=request.at_once,
            seconds=request.seconds,
            check_bad_again=request.again,
        )
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        raise
    for line in (*summary_lines(rows), *advice_lines(rows)):
        say(line)
    if request.against:
        _compare(rows, request.against, manifest, say)
    say(f"wrote {manifest}")
    say(use_line(manifest, request.prefix))
    return 0


def _compare(
    rows: Sequence[ManifestRow], official: Path, manifest: Path, say: Callable[[str], None]
) -> None:
    """Say what an official list has and the rows have not, and write their names beside the manifest."""
    there = [row.path for row in rows if row.status != "missing"]
    compared = compare_with_names(there, official)
    say(
        f"of the {compared.expected} videos of {official}, {len(compared.missing)} are "
        f"missing; {len(compared.surplus)} videos are not among them"
    )
    for name, each in (("missing", compared.missing), ("surplus", compared.surplus)):
        path = manifest.with_name(f"{manifest.name}.{name}.txt")
        path.write_text(
            "".join(f"{line}\n" for line in each), encoding="utf-8", errors="surrogateescape"
        )
        say(f"  {path}: the names of the {name} ones")
