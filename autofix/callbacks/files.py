"""The files that Keras' own callbacks write, as they were before a training.

Files that a stopped training wrote anew are removed, files that it changed get their content back. Only what a callback
is known to write counts, by name: whatever else lies or appears beside it is never touched. Files that are there before
the training are copied into memory, the smallest first, up to `MAX_BYTES`; of one that is only appended to, the length
will do. A larger file that a stopped training has overwritten stays so, as after `model.fit`, and is reported.
"""

import contextlib
import dataclasses
import os
import re
import string
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras

MAX_BYTES = 64 * 2**20
"""Most that is copied of files: about 0.1 s."""

MAX_ENTRIES = 10_000
"""Most files and folders that are looked at in one place: some 20 ms. A place with more is left as it is."""

_NUMBER = r"(?:[-+ .,_%0-9eE]|nan|inf)+"
"""What an epoch, a batch or a metric looks like in the name of a file."""


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a callback writes.

    Args:
        root: An existing or future folder.
        levels: Patterns of the names below it, folders first, the file's own last; None for all files at every depth.
        is_log: Whether its file is only ever appended to.
        is_resumed: Whether a training goes on from what lies there.
    """

    root: Path
    levels: tuple[str, ...] | None
    is_log: bool = False
    is_resumed: bool = False


@dataclasses.dataclass
class _Kept:
    """A file that was there."""

    size: int
    mtime_ns: int
    mode: int
    place: Place
    content: bytes | None = None


class FileStates:
    """The files of Keras' callbacks at one moment. Taking them changes nothing and never raises.

    Args:
        callbacks: Any; only Keras' own and classes derived from them have files here.
    """

    def __init__(self, callbacks: Sequence[Any]) -> None:
        self._places: list[Place] = []
        self._files: dict[Path, _Kept] = {}
        self._folders: set[Path] = set()
        self._notes: list[str] = []
        for callback in callbacks:
            with contextlib.suppress(Exception):
                self._find(callback)
        self._copy()

    def restore(self, *, resume: bool = True) -> list[str]:
        """Puts all files back to how they were.

        Args:
            resume: Whether backups may be gone on from. They are of the network as it was: a repaired one must not.

        Returns:
            What could not be put back, in words.
        """
        notes = list(self._notes)
        for place in self._places:
            try:
                found = [path for path, is_folder in _entries(place) if not is_folder]
            except (OSError, _TooManyError):
                notes.append(_crowded(place))
                continue
            for path in found:
                if path not in self._files or (place.is_resumed and not resume):
                    self._remove(path)
        for folder in sorted(self._folders):
            with contextlib.suppress(OSError):
                folder.mkdir(exist_ok=True)
        for path, kept in self._files.items():
            if kept.place.is_resumed and not resume:
                continue
            try:
                note = _put_back(path, kept)
            except OSError as error:
                note = f"{path} could not be put back: {error}"
            notes += [note] if note else []
        return notes

    def _find(self, callback: Any) -> None:
        name = type(callback).__name__
        if isinstance(callback, keras.callbacks.RemoteMonitor):
            self._notes.append(f"What {name} sent during the stopped training cannot be called back.")
        for kind, attribute, places in _WRITERS:
            if not isinstance(callback, kind):
                continue
            path = os.fspath(vars(callback)[attribute])
            if "://" in path:
                self._notes.append(f"What {name} wrote to {path} during the stopped training is still there.")
                continue
            for place in places(path, callback):
                self._add(place)

    def _add(self, place: Place) -> None:
        folders = {parent for parent in (place.root, *place.root.parents) if parent.is_dir()}
        files = {}
        try:
            for path, is_folder in _entries(place):
                if is_folder:
                    folders.add(path)
                    continue
                status = path.stat()
                files[path] = _Kept(status.st_size, status.st_mtime_ns, status.st_mode, place)
        except _TooManyError:
            self._notes.append(_crowded(place))
            return
        self._places.append(place)
        self._files.update(files)
        self._folders |= folders

    def _copy(self) -> None:
        left = MAX_BYTES
        for path, kept in sorted(self._files.items(), key=lambda item: item[1].size):
            if kept.place.is_log or kept.size > left:
                continue
            with contextlib.suppress(OSError):
                kept.content = path.read_bytes()
                left -= kept.size

    def _remove(self, path: Path) -> None:
        with contextlib.suppress(OSError):
            path.unlink()
            for folder in path.parents:
                if folder in self._folders:
                    break
                folder.rmdir()  # raises where somebody else has put something in it


class _TooManyError(Exception):
    """A place with more entries than are looked at."""


def _crowded(place: Place) -> str:
    return f"{place.root} holds too many files to tell which are new: those of the stopped training are still there."


def _put_back(path: Path, kept: _Kept) -> str:
    status = path.stat() if path.exists() else None
    if status is not None and (status.st_size, status.st_mtime_ns) == (kept.size, kept.mtime_ns):
        return ""
    if kept.place.is_log and status is not None and status.st_size >= kept.size:
        os.truncate(path, kept.size)
    elif kept.content is not None:
        path.write_bytes(kept.content)
        path.chmod(kept.mode)
    else:
        return f"{path} was overwritten by the stopped training; it was too large for a copy."
    os.utime(path, ns=(kept.mtime_ns, kept.mtime_ns))
    return ""


def _entries(place: Place) -> Iterator[tuple[Path, bool]]:
    """The files of a place and the folders on the way to them: path, whether it is a folder."""
    budget = iter(range(MAX_ENTRIES))
    todo = [(place.root, place.levels)]
    while todo:
        folder, levels = todo.pop()
        if not folder.is_dir():
            continue
        with os.scandir(folder) as entries:
            for entry in entries:
                if next(budget, None) is None:
                    raise _TooManyError
                if levels is not None and not re.fullmatch(levels[0], entry.name):
                    continue
                is_folder, goes_on = entry.is_dir(), levels is None or len(levels) > 1
                if is_folder and goes_on:
                    todo.append((Path(entry), None if levels is None else levels[1:]))
                    yield Path(entry), True
                elif not is_folder and (levels is None or len(levels) == 1):
                    yield Path(entry), False


def _absolute(path: str) -> Path:
    return Path(os.getcwd(), path)


def _log_places(path: str, callback: Any) -> Iterator[Place]:
    absolute = _absolute(path)
    yield Place(absolute.parent, (re.escape(absolute.name),), is_log=bool(callback.append))


def _checkpoint_places(path: str, callback: Any) -> Iterator[Place]:
    """The place of files whose names `str.format` makes; folders may have fields too."""
    parts = _absolute(path).parts
    n_fixed = next((index for index, part in enumerate(parts) if "{" in part), len(parts) - 1)
    yield Place(Path(*parts[:n_fixed]), tuple(_pattern(part) for part in parts[n_fixed:]))


def _pattern(template: str) -> str:
    parsed = string.Formatter().parse(template)
    return "".join(re.escape(literal) + ("" if field is None else _NUMBER) for literal, field, _, _ in parsed)


def _backup_places(path: str, callback: Any) -> Iterator[Place]:
    yield Place(_absolute(path), None, is_resumed=True)


def _event_places(path: str, callback: Any) -> Iterator[Place]:
    root = _absolute(path)
    # Several processes may log below one folder: the names of events tell which one wrote them.
    yield Place(root, ("train|validation", rf"events\.out\.tfevents\..*\.{os.getpid()}\..*"), is_log=True)
    yield Place(root, (r"projector_config\.pbtxt",))
    yield Place(root, ("train", r"keras_embedding\.ckpt-\d+\.weights\.h5"))
    yield Place(root, ("train", "plugins", "profile", ".*", ".*"))


_WRITERS = (
    (keras.callbacks.CSVLogger, "filename", _log_places),
    (keras.callbacks.ModelCheckpoint, "filepath", _checkpoint_places),
    (keras.callbacks.BackupAndRestore, "backup_dir", _backup_places),
    (keras.callbacks.TensorBoard, "log_dir", _event_places),
)
"""Callbacks that write files, the attribute that says where, and what that means, as Keras 3.8 to 3.15 have them."""
