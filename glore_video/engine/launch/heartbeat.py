"""A run that hangs says who holds it up, and ends."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict

from torch.distributed import Store

from glore_video.engine.launch.activity import FINISHED, Activity, Report, furthest_behind
from glore_video.engine.launch.failures import Failures
from glore_video.processes import records, waiting_times
from glore_video.processes.ending import UNFORESEEN, end_at

logger = logging.getLogger(__name__)

_BLAMED = "blamed"


class Heartbeat:
    """Publishes this process' activity; if the run hangs, says who holds it up and ends it.

    A thread of its own does it, over a connection of its own to the job's store. When this process
    has done nothing new for `timeout` seconds it looks who is furthest behind. If that one moves,
    it waits on. Else it logs who that is, where and what it does, and ends this process with status
    1, at which the launcher ends the others. The one that is behind gives the others time to say
    so before it does the same.

    It ends the process too if another one has failed, or a reading worker of this one, and the
    process does not end by itself, as it waits for something.

    Args:
        connect: opens the connection to the store; called in the thread, and again after an error.
        timeout: seconds, above 0.
        interval: seconds between signs of life; by default a twentieth of timeout, at most 5.
        end: ends the process; for tests.
    """

    def __init__(
        self,
        activity: Activity,
        connect: Callable[[], Store],
        *,
        rank: int,
        world_size: int,
        host: str,
        timeout: float,
        interval: float | None = None,
        end: Callable[[int], None] = os._exit,
    ) -> None:
        self._activity = activity
        self._connect = connect
        self._rank = rank
        self._world_size = world_size
        self._host = host
        self._timeout = timeout
        self._interval = min(5.0, timeout / 20) if interval is None else interval
        self._patience = 4 * self._interval
        self._end = end
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._beat = 0
        self._watching_since: float | None = None
        self._heard: dict[int, tuple[int, float]] = {}
        self._warned_at = -timeout
        self._failure_seen: float | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread, after a last report."""
        self._stopped.set()
        self._thread.join(timeout=waiting_times.FAREWELL)  # the store may be gone by now

    def _run(self) -> None:
        store: Store | None = None
        while True:
            stopped = self._stopped.is_set()
            try:
                store = store or self._connect()
                self._publish(store)
                reports = self._read(store) if self._stands_still() else None
            except RuntimeError:  # as a store's errors all are
                store, reports = None, None
            if stopped:
                return
            if self._stands_still():
                with suppress(RuntimeError):
                    self._judge(store, reports)
            self._wait_for_next_beat(store)

    def _wait_for_next_beat(self, store: Store | None) -> None:
        end = time.monotonic() + self._interval
        while not self._stopped.wait(max(0.0, min(waiting_times.LOOK, end - time.monotonic()))):
            if store is not None:
                self._end_after_failure(Failures(store, self._rank, self._host))
            if time.monotonic() >= end:
                return

    def _end_after_failure(self, failures: Failures) -> None:
        """End this process if it fails, or another has failed, and it can't do so itself."""
        own = records.waiting()
        if own is None and not failures.first():
            self._failure_seen = None
            return
        self._failure_seen = self._failure_seen or time.monotonic()
        if time.monotonic() - self._failure_seen < waiting_times.LEAVE:
            return
        if own is not None and own.what:
            end_at(own.error(), failures.tell)
        elif failures.speaks_here():
            logger.error("%s; this run ends here", failures.first())
        records.close_records()
        self._end(UNFORESEEN)
        self._stopped.set()

    def _stands_still(self) -> bool:
        still = self._activity.seconds() > self._timeout
        if not still:
            self._watching_since = None
            self._heard.clear()
        return still

    def _publish(self, store: Store) -> None:
        self._beat += 1
        report = self._activity.report(self._rank, self._host)
        store.set(str(self._rank), json.dumps([self._beat, asdict(report)]))

    def _read(self, store: Store) -> dict[int, Report]:
        """The last report of each rank; notes which of them are new."""
        keys = [str(rank) for rank in range(self._world_size)]
        if not store.check(keys):
            keys = [key for key in keys if store.check([key])]
        now = time.monotonic()
        reports = {}
        for key, text in zip(keys, store.multi_get(keys), strict=True):
            beat, fields = json.loads(text)
            reports[int(key)] = Report(**fields)
            if self._heard.get(int(key), (-1, 0.0))[0] != beat:
                self._heard[int(key)] = (beat, now)
        return reports

    def _judge(self, store: Store | None, reports: Mapping[int, Report] | None) -> None:
        """This process stands still: end it if the one that holds it up stands still too."""
        now = time.monotonic()
        if self._watching_since is None:
            self._watching_since = now
        if now - self._watching_since < self._patience:
            return
        own = self._activity.report(self._rank, self._host)
        opening = f"no progress for {_duration(own.seconds)}"
        if reports is None or store is None:
            where = os.environ.get("MASTER_ADDR", "")
            self._give_up(f"{opening}: the machine of rank 0 ({where}) does not answer", store)
            return
        active = {rank: one for rank, one in reports.items() if one.what != FINISHED}
        silent = {
            rank: now - heard
            for rank, (_, heard) in self._heard.items()
            if rank in active and now - heard > self._patience
        }
        if set(active) <= {self._rank}:
            return  # nobody waits
        # Once one process has given up it falls silent itself, so what it found holds for all.
        blamed = int(store.get(_BLAMED)) if store.check([_BLAMED]) else -1
        behind = active.get(blamed, active[furthest_behind(active, silent)])
        who = f"rank {behind.rank} of {self._world_size} on {behind.host}"
        this = f"this is rank {self._rank} on {self._host}: {own}"
        if behind.rank == self._rank:
            if blamed == self._rank or own.seconds > 1.1 * self._timeout + 2 * self._patience:
                self._give_up(f"{opening}: this is {who}, {own}; the others wait for it", store)
        elif behind.rank in silent:
            last = f"its last sign of life came {_duration(silent[behind.rank])} ago, when it did"
            self._give_up(f"{opening}: waiting for {who}; {last}: {behind} ({this})", store, behind)
        elif behind.seconds > self._timeout:
            doing = f"which for {_duration(behind.seconds)} has done nothing but: {behind}"
            self._give_up(f"{opening}: waiting for {who}, {doing} ({this})", store, behind)
        elif now - self._warned_at > self._timeout:
            self._warned_at = now
            logger.warning("%s: waiting for %s, which moves: %s (%s)", opening, who, behind, this)

    def _give_up(self, text: str, store: Store | None, behind: Report | None = None) -> None:
        """Log the line, once a machine, and end the process, even where logging hangs too."""
        ending = (
            f"; this run ends here (DIST_TIMEOUT = {self._timeout:g} s). Started again, it goes on "
            "from its last checkpoint"
        )

        def speak() -> None:
            if store is None or Failures(store, self._rank, self._host).speaks_here():
                logger.error("%s", text + ending)
            for handler in logging.getLogger("glore_video").handlers:
                handler.flush()

        speaker = threading.Thread(target=speak, daemon=True)
        speaker.start()
        speaker.join(timeout=waiting_times.SPEAK)
        if store is not None and behind is not None:
            with suppress(RuntimeError):
                store.set(_BLAMED, str(behind.rank))
        self._end(UNFORESEEN)
        self._stopped.set()


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
