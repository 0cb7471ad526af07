"""How long each part of an ending may take, in seconds.

From an error anywhere to no process left it takes ten seconds at most: the sum of the parts that
follow one another.
"""

PROMISED = 10.0

LOOK = 1.0
"""A process that waits for others looks so often whether one of them, or a child of its own, has failed."""
LEAVE = 3.0
"""A process that should end, and waits for something, may do so by itself; then it is ended."""
ASK = 1.0
"""Children have so long to end when asked to; then they are killed."""
ASK_RANKS = 2.0
"""As ASK, of whole processes of a run, which may be writing."""
KILL = 1.0
"""The system may take so long to remove a killed process."""
EXIT = 1.0
"""A process that has said all may take so long to end as Python does."""
HEAR = 2.0
"""One that has lost another process waits so long to hear why, or to be ended."""
STORE = 3.0
"""The job's store may take so long to answer: it may be gone with the machine that has failed."""

ENDINGS = {
    "a reading worker of a process that waits for others": (
        *(LOOK, LEAVE, ASK, KILL),
        *(ASK_RANKS, KILL),
    ),
    "a process beside others on this machine": (ASK, KILL, EXIT, ASK_RANKS, KILL),
    "a process on another machine": (ASK, KILL, EXIT, LOOK, LEAVE),
    "a process whose store is gone": (STORE, ASK, KILL, EXIT, ASK_RANKS, KILL),
    "a process that can't say why": (HEAR, ASK, KILL, EXIT),
}
"""What follows one another from the failure of each of these until no process of the run is left."""

# Of what is no ending.
SILENCE = 10.0
"""A child that stands still in the middle of a message is killed."""
TWICE = 2.0
"""A signal that comes again within it is the same: its sender and a launcher have both sent it."""
SPEAK = 10.0
"""A process that gives up may take so long to log why: its disk may hang too."""
FAREWELL = 1.0
"""The heartbeat of a process that ends may take so long for its last sign of life."""
