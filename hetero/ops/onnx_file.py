"""ONNX files: read without executing anything, and confined to the model's own folder.

A model may keep weights in other files ("external data"), named by paths inside the model. A model is data from
elsewhere, so a path that leaves its folder is refused: it could read any file of the user.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from hetero.errors import MissingExtraError, ModelError
from hetero.ops.onnx_rules import first_defect, initializers_of
from hetero.values import digest_of

if TYPE_CHECKING:
    import onnx

__all__ = ["OnnxFile"]


@dataclass(frozen=True)
class OnnxFile:
    """A model on disk (``path``) or in memory (``content``); exactly one of them is given."""

    path: Path | None = None
    content: bytes | None = None
    _states: dict[Path, _State] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Of each file when the model was first read."""

    @property
    def where(self) -> str:
        """What messages call it."""
        return str(self.path) if self.path is not None else f"{len(self.content or b'')} bytes"

    @property
    def source(self) -> str | bytes:
        """What engines load it from: a path lets them map weights instead of copying them.

        Raises:
            ModelError: a file was changed since the model was read from it. An engine would load another model, under
                the name and the measurements of this one.
        """
        if self.path is None:
            return self.content or b""
        for path, before in self._states.items():
            if not _is_as(path, before):
                raise ModelError(
                    f"{self.path}: {path.name} was replaced, changed or removed since the model was read; put it back, "
                    "or read the model and plan again"
                )
        return str(self.path)

    def read(self) -> bytes:
        """The model's own bytes, without external data."""
        if self.path is None:
            return self.content or b""
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise ModelError(f"{self.path}: cannot be read: {error.strerror or error}") from error

    def parse(self) -> onnx.ModelProto:
        """The model's structure; external data stays in its files.

        Raises:
            ModelError: not an ONNX model, or its external data is missing or outside of its folder.
            MissingExtraError: the onnx package is not installed.
        """
        try:
            import onnx
        except ModuleNotFoundError as error:
            raise MissingExtraError("reading a model", "onnx", "onnx") from error
        from google.protobuf.message import DecodeError

        content = self.read()
        try:
            model = onnx.load_model_from_string(content)
        except DecodeError as error:
            start = content[:8].hex(" ") or "nothing"
            raise ModelError(
                f"{self.where}: not an ONNX model: found {len(content)} bytes that begin with {start}; "
                "the file is corrupt, incomplete or of another format"
            ) from error
        defect = first_defect(model)
        if defect is not None:
            raise ModelError(f"{self.where}: not an ONNX model, or a damaged one: {defect}")
        for tensor in initializers_of(model.graph):
            if tensor.data_location == onnx.TensorProto.EXTERNAL:
                self._confine(tensor)
        if self.path is not None and not self._states:
            files = (self.path, *(self.path.parent / name for name in _companions(model)))
            self._states.update({path: _state(path) for path in files})
        return model

    def _confine(self, tensor: onnx.TensorProto) -> None:
        """Refuse external data that is not in the model's folder or is too short."""
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location = entries.get("location", "")
        if self.path is None:
            raise ModelError(
                f"{self.where}: tensor {tensor.name!r} keeps its data in {location!r}; a model given as bytes has no "
                "folder: give its path"
            )
        folder = self.path.resolve().parent
        target = (folder / location).resolve()
        if not location or not target.is_relative_to(folder):
            raise ModelError(
                f"{self.where}: tensor {tensor.name!r} keeps its data in {location!r}, outside of the model's folder"
            )
        needed = _number(entries.get("offset", "0")) + _number(entries.get("length", "0"))
        found = target.stat().st_size if target.is_file() else -1
        if found < needed:
            state = "is missing" if found < 0 else f"has {found} bytes, expected at least {needed}"
            raise ModelError(f"{self.where}: external data {location!r} of tensor {tensor.name!r} {state}")

    @cached_property
    def companions(self) -> tuple[str, ...]:
        """Names of the files that hold external data, relative to the model's folder."""
        if self.path is None:
            return ()
        return tuple(_companions(self.parse()))

    @property
    def digest(self) -> str:
        """Content hash of the model's file and of its external data; large files are hashed once a process.

        The same for a path and for its bytes.
        """
        if self.path is None:
            return digest_of("onnx", [digest_of(self.content)])
        folder = self.path.parent
        return digest_of(
            "onnx", [_file_digest(path) for path in (self.path, *(folder / c for c in self.companions))]
        )


def _number(text: str) -> int:
    """An offset or a length; what is no number reaches beyond every file."""
    return int(text) if text.isdecimal() else 1 << 62


def _companions(model: onnx.ModelProto) -> Iterator[str]:
    locations = (
        entry.value
        for tensor in initializers_of(model.graph)
        for entry in tensor.external_data
        if entry.key == "location"
    )
    return iter(dict.fromkeys(locations))


_State: TypeAlias = tuple[int, int]
"""A file's modification time (ns) and size (bytes)."""

_DIGESTS: dict[tuple[Path, _State], str] = {}


def _state(path: Path) -> _State:
    found = path.stat()
    return found.st_mtime_ns, found.st_size


def _file_digest(path: Path) -> str:
    key = path, _state(path)
    if key not in _DIGESTS:
        _DIGESTS[key] = digest_of(path.read_bytes())
    return _DIGESTS[key]


def _is_as(path: Path, before: _State) -> bool:
    """Whether a file is the one that it was, or has the same content as far as that is known."""
    try:
        return _state(path) == before or _file_digest(path) == _DIGESTS.get((path, before))
    except OSError:
        return False
