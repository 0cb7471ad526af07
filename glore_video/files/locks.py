"""Advisory locks on files (flock), also where the file system has none."""

from __future__ import annotations

import errno
import logging
from typing import IO, Any

logger = logging.getLogger(__name__)

# What flock answers on file systems without locks: Lustre mounted without -o flock, NFS without its
# lock daemon, some FUSE and overlay file systems.
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP}


def lock_file(file: IO[Any]) -> bool:
    """Lock an open file for this process, until it is closed; never waits.

    The lock is that of the open file: children that are forked hold it too, until they close it.

    Args:
        file: opened for writing (NFS locks no others exclusively).

    Returns:
        True if it is locked; False, with a warning in the log, where there are no locks.

    Raises:
        BlockingIOError: another process, or another opening of the file, holds the lock.
        OSError: that names the file: whatever else the system says.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return _without_locks(file, "this system has none")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BlockingIOError(error.errno, error.strerror, file.name) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise OSError(error.errno, error.strerror, file.name) from None
        return _without_locks(file, error.strerror)
    return True


def _without_locks(file: IO[Any], reason: str | None) -> bool:
    logger.warning(
        "%s can't be locked (%s): nothing keeps a second process from writing beside this one",
        *(file.name, reason),
    )
    return False
