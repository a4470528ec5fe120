"""Device types from what services say about devices: descriptions, platforms, user agents."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa

from household_ml.schema import DEVICE_TYPES

__all__ = ["device_type_of", "device_types"]

#: First match wins, so that "Fire TV Stick" is a stick and "Android TV" a television.
_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        (
            "game_console",
            r"playstation|\bps ?[345]\b|xbox|nintendo|\bwii\b|game ?console|\bconsole\b",
        ),
        ("tv", r"\b(roku|fire|amazon) tv edition\b|\broku tv\b"),
        (
            "streaming_stick",
            r"chromecast|cast tv|fire ?tv|\baft[a-z]{1,5}\b|\broku\b|tv stick|streaming stick"
            r"|\bstick\b|dongle|google tv streamer",
        ),
        (
            "set_top_box",
            r"set[- ]?top|\bstb\b|apple ?tv|tvos|freebox|livebox|\bbbox\b|nvidia shield|\btivo\b"
            r"|decoder|d[eé]codeur|cable box|tv box|\bsky q\b|\bxfinity\b|\bmi ?box\b",
        ),
        (
            "tv",
            r"\b(smart|android|google|hbb)?[- ]?tv\b|television|bravia|web0?s\b|tizen|vidaa|viera"
            r"|\bvizio\b|hisense|\baquos\b",
        ),
        ("tablet", r"ipad|tablet|galaxy tab|\bkindle\b|fire hd|\btab\b"),
        ("other", r"\bwatch\b|speaker|sonos|\becho\b|google home|\bcar\b|carplay|\bquest\b|\bvr\b"),
        (
            "phone",
            r"phone|\bipod\b|android|\bios\b|\bmobile\b|windows mobile|blackberry|\bpixel\b",
        ),
        (
            "computer",
            r"\bpc\b|windows|mac ?os|macintosh|\bmac\b|os ?x\b|linux|ubuntu|cros\b|chrome|chromium"
            r"|cadmium|firefox|safari|\bedge\b|opera|web ?player|\bweb\b|browser|desktop|laptop"
            r"|computer|\bbot\b",
        ),
    )
)


def device_type_of(description: str) -> str | None:
    """Type of a device by its description; None when the description does not tell.

    Examples
    --------
    >>> device_type_of("Chrome PC (Cadmium)"), device_type_of("Amazon Fire TV Stick 4K")
    ('computer', 'streaming_stick')
    >>> device_type_of("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X)")
    'phone'
    >>> device_type_of("Model 7") is None
    True
    """
    lower = description.lower().strip()
    if lower in DEVICE_TYPES:
        return lower
    lower = lower.replace("_", " ")
    return next((kind for kind, pattern in _PATTERNS if pattern.search(lower)), None)


def device_types(descriptions: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    """Types of many devices; each distinct description is judged once.

    Parameters
    ----------
    descriptions : pyarrow Array or ChunkedArray of text

    Returns
    -------
    pyarrow.ChunkedArray of large_string
        Null where the description is null or does not tell.
    """
    column = (
        pa.chunked_array([descriptions]) if isinstance(descriptions, pa.Array) else descriptions
    )
    if len(column) == 0:
        return pa.chunked_array([], pa.large_string())
    encoded = column.cast(pa.large_string()).dictionary_encode()
    distinct = encoded.chunk(0).dictionary.to_pylist()
    types = pa.array([device_type_of(each) for each in distinct], pa.large_string())
    indices = np.concatenate(
        [np.asarray(chunk.indices.fill_null(-1), np.int64) for chunk in encoded.chunks]
    )
    return pa.chunked_array([types.take(pa.array(indices, mask=indices < 0))])
