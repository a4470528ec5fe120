"""Arrow text as plain arrays, for compiled code."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa

from household_ml.compiling import compiled

__all__ = ["Integer", "TextBuffers", "as_chunks", "is_text", "text_buffers"]

#: A whole number in compiled code.
Integer: TypeAlias = int | np.int64


class TextBuffers(NamedTuple):
    """One Arrow text array as it lies in memory.

    Value ``i`` is ``characters[offsets[i]:offsets[i + 1]]``, unless ``null[i]``.

    Attributes
    ----------
    characters : ndarray of uint8
        UTF-8, shared with the Arrow array.
    offsets : ndarray of int64, shape (N + 1,)
        Starts of the values.
    null : ndarray of bool, shape (N,) or (0,)
        True where the value is null; of length 0 when no value is.
    """

    characters: np.ndarray
    offsets: np.ndarray
    null: np.ndarray


def is_text(kind: pa.DataType) -> bool:
    """Whether an Arrow type holds text, in any of its layouts."""
    if pa.types.is_dictionary(kind):
        return is_text(kind.value_type)
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def as_chunks(text: pa.Array | pa.ChunkedArray) -> list[pa.Array]:
    """The pieces of a column as arrays with plain offsets (string or large_string).

    Dictionaries and views are laid out anew; other layouts are passed through without a copy.
    """
    if not (pa.types.is_string(text.type) or pa.types.is_large_string(text.type)):
        text = text.cast(pa.large_string())
    return list(text.chunks) if isinstance(text, pa.ChunkedArray) else [text]


@compiled
def _unpack(bitmap: np.ndarray, start: int, null: np.ndarray) -> None:
    for i in range(null.size):
        bit = start + i
        null[i] = (bitmap[bit >> 3] >> np.uint8(bit & 7)) & np.uint8(1) == 0


def text_buffers(array: pa.Array) -> TextBuffers:
    """View one string or large_string array as plain arrays; slices are respected.

    Examples
    --------
    >>> import pyarrow as pa
    >>> buffers = text_buffers(pa.array(["a", "bcd", None])[1:])
    >>> buffers.offsets.tolist(), buffers.null.tolist()
    ([1, 4, 4], [False, True])
    """
    wide = pa.types.is_large_string(array.type)
    validity, offset_buffer, character_buffer = array.buffers()
    count, start = len(array), array.offset
    if offset_buffer is None or offset_buffer.size == 0:
        offsets = np.zeros(count + 1, np.int64)
    else:
        kind = np.int64 if wide else np.int32
        every = np.frombuffer(offset_buffer, kind, count=start + count + 1)
        offsets = every[start:].astype(np.int64, copy=False)
    characters = (
        np.zeros(0, np.uint8)
        if character_buffer is None
        else np.frombuffer(character_buffer, np.uint8)
    )
    null = np.zeros(0, np.bool_)
    if array.null_count:
        null = np.empty(count, np.bool_)
        if validity is None:
            null[:] = True
        else:
            _unpack(np.frombuffer(validity, np.uint8), start, null)
    return TextBuffers(characters, offsets, null)
