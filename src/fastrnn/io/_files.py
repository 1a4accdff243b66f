# SPDX-License-Identifier: BSD-3-Clause
"""Safe file access: only regular files are read, and writes are atomic."""

import errno
import fcntl
import os
import stat
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import BinaryIO

KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
# Of what a folder answers when it is synced: it cannot be read, or its file system does not sync folders.
NOT_SYNCED = errno.EACCES, errno.EPERM, errno.EINVAL, errno.ENOTSUP
ATTEMPTS = 20


# -- reading ---------------------------------------------------------------------------------------------------------


def open_regular(path: str, expected: str = "") -> BinaryIO:
    """Open a regular file, in which there is `expected`, for reading.

    Nothing else is read, not even if it is named on purpose, such as /dev/stdin: a pipe or a terminal waits for a
    writer, a device may have no end, and neither has a size that the claims of its content could be compared with.

    Raises
    ------
    ValueError
        It is a pipe, a socket or a device.
    IsADirectoryError
    OSError
        It cannot be read.
    """
    expected = f"a file with {expected}" if expected else "a regular file"
    _check_regular(path, expected, os.stat(path).st_mode)  # to open a device may have effects
    file = open(path, "rb", opener=_opener(os.O_NONBLOCK | os.O_NOCTTY))  # it may be a pipe by now
    try:
        _check_regular(path, expected, os.fstat(file.fileno()).st_mode)
    except BaseException:
        file.close()
        raise
    return file


def _opener(more: int) -> Callable[[str, int], int]:
    """An argument `opener` of `open` that adds flags."""
    return lambda path, flags: os.open(path, flags | more)


def _check_regular(path: str, expected: str, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, f"expected {expected}, got a directory", path)
    if not stat.S_ISREG(mode):
        raise ValueError(f"{path}: expected {expected}, got {KINDS.get(stat.S_IFMT(mode), 'something else')}")


# -- writing ---------------------------------------------------------------------------------------------------------


def replace(path: str, content: bytes) -> None:
    """Make `path` a file of these bytes, or leave it as it is; an OSError names it."""
    path = os.path.realpath(path)
    folder = os.path.dirname(path)
    os.stat(folder)  # its error names the folder
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        mode = None
    if mode is not None and not stat.S_ISREG(mode):  # root could even replace /dev/null
        raise FileExistsError(f"{path}: expected a file or nothing, got something else")
    try:
        _remove_abandoned(folder)
        _replace(path, mode, content)
        _sync(folder)  # so that the new name, too, outlives a power cut
    except OSError as error:
        if error.errno is not None:
            error.filename = path  # not the temporary file; of a full disk there was none
            del error.filename2
        raise


def _replace(path: str, mode: int | None, content: bytes) -> None:
    """Write a temporary file and give it the name `path`.

    Its writer holds a lock on it, which ends with the writer, however that ends. Between its creation and the lock it
    can be removed as abandoned, which shows when it is renamed; then another is written.
    """
    for attempt in range(1, ATTEMPTS + 1):
        temporary = os.path.join(os.path.dirname(path), f"{_prefix()}{os.urandom(8).hex()}.tmp")
        private = partial(os.open, mode=0o666 if mode is None else 0o600)  # until it has the mode of the old file
        try:
            with open(temporary, "xb", opener=private) as file:
                with suppress(OSError):  # not every file system has locks
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                file.write(content)
                file.flush()
                if mode is not None:
                    os.fchmod(file.fileno(), stat.S_IMODE(mode))
                os.fsync(file.fileno())
                os.replace(temporary, path)
            return
        except BaseException as error:
            with suppress(OSError):
                os.unlink(temporary)
            if attempt == ATTEMPTS or not isinstance(error, FileNotFoundError):
                raise


def _prefix() -> str:
    """How the names of temporary files of this machine begin.

    Another machine may share the folder and not the locks, as a network file system can be mounted: its files are left
    alone. So are those of version 0.1, ".fastrnn-" and 16 digits, which has no locks.
    """
    return f".fastrnn-{zlib.crc32(os.fsencode(os.uname().nodename)):08x}-"


def _remove_abandoned(folder: str) -> None:
    """Remove the temporary files of this machine that no living writer has locked."""
    try:
        names = os.listdir(folder)
    except OSError:  # a folder can be written without being readable
        return
    prefix, opener = _prefix(), _opener(os.O_NOFOLLOW | os.O_NONBLOCK)
    for name in names:
        if name.startswith(prefix) and name.endswith(".tmp"):
            path = os.path.join(folder, name)
            # For writing, since NFS has no other exclusive locks.
            with suppress(OSError), open(path, "r+b", 0, opener=opener) as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(path)


def _sync(folder: str) -> None:
    """Flush the names in a folder, where that is possible: one that cannot be read cannot be opened for it.

    Then a power cut may bring back the old file, but no other.
    """
    opened: list[int] = []
    try:
        opened += map(os.open, [folder], [os.O_RDONLY])  # one instruction: Ctrl-C cannot come before it is listed
        os.fsync(opened[0])
    except OSError as error:
        if error.errno not in NOT_SYNCED:
            raise
    finally:
        for descriptor in opened:
            os.close(descriptor)
