"""Addresses: text to 128-bit numbers and back, and what kind of address each is.

The text accepted is that of RFC 4291, section 2.2 (IPv6, with an embedded IPv4 tail) and a strict
dotted quad (four decimal numbers without leading zeros). Zone ids (``fe80::1%eth0``), ports,
brackets and surrounding blanks make a text invalid.

An IPv4 address and the IPv4-mapped IPv6 address of the same host are one address: both are
stored as ``::ffff:a.b.c.d``.

Kinds follow the IANA special-purpose registries (RFC 6890 and its updates):

=============== ===== ===========================================================
`VALID_PUBLIC`    0   anything that is none of the below
`PRIVATE`         1   10/8, 172.16/12, 192.168/16, fc00::/7, fec0::/10
`CARRIER_NAT`     2   100.64/10 (RFC 6598)
`DOCUMENTATION`   3   192.0.2/24, 198.51.100/24, 203.0.113/24, 2001:db8::/32, 3fff::/20
`BOGUS`           4   unspecified, loopback, link-local, multicast, benchmark, reserved
`INVALID`         5   not the text of an address
`NULL`            6   null
=============== ===== ===========================================================
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from household_ml.compiling import compiled
from household_ml.sessions.arrow_text import Integer, as_chunks, text_buffers

__all__ = [
    "BOGUS",
    "CARRIER_NAT",
    "DOCUMENTATION",
    "INVALID",
    "NULL",
    "PRIVATE",
    "VALID_PUBLIC",
    "Addresses",
    "fill_addresses",
    "format_addresses",
    "is_ipv4",
    "parse_addresses",
]

VALID_PUBLIC = 0
PRIVATE = 1
CARRIER_NAT = 2
DOCUMENTATION = 3
BOGUS = 4
INVALID = 5
NULL = 6

_ZERO = np.uint64(0)
_ONE = np.uint64(1)
_MAPPED = np.uint64(0xFFFF_0000_0000)
_LOW_32 = np.uint64(0xFFFF_FFFF)
_LOW_16 = np.uint64(0xFFFF)

_DOT, _COLON, _NINE, _NOUGHT = 46, 58, 57, 48


class Addresses(NamedTuple):
    """Addresses as numbers.

    Attributes
    ----------
    hi, lo : ndarray of uint64, shape (N,)
        Upper and lower half of the 128-bit address; 0 where there is none.
    kind : ndarray of uint8, shape (N,)
        One of the kinds of this module.
    """

    hi: np.ndarray
    lo: np.ndarray
    kind: np.ndarray


@compiled
def _kind_of_ipv4(v4: Integer) -> Integer:
    a = v4 >> 24
    b = (v4 >> 16) & 255
    c = (v4 >> 8) & 255
    if a == 10 or (a == 172 and 16 <= b < 32) or (a == 192 and b == 168):
        return PRIVATE
    if a == 100 and 64 <= b < 128:
        return CARRIER_NAT
    if (
        (a == 192 and b == 0 and c == 2)
        or (a == 198 and b == 51 and c == 100)
        or (a == 203 and b == 0 and c == 113)
    ):
        return DOCUMENTATION
    if (
        a == 0
        or a == 127
        or a >= 224
        or (a == 169 and b == 254)
        or (a == 192 and b == 0 and c == 0)
        or (a == 198 and 18 <= b < 20)
    ):
        return BOGUS
    return VALID_PUBLIC


@compiled
def _kind_of(hi: np.uint64, lo: np.uint64) -> Integer:
    if hi == _ZERO and (lo >> np.uint64(32)) == _LOW_16:
        return _kind_of_ipv4(np.int64(lo & _LOW_32))
    top = np.int64(hi >> np.uint64(48))
    if (top >> 13) == 1:  # 2000::/3, all that is given out
        if (hi >> np.uint64(32)) == np.uint64(0x2001_0DB8):
            return DOCUMENTATION
        if (hi >> np.uint64(44)) == np.uint64(0x3FFF0):
            return DOCUMENTATION
        return VALID_PUBLIC
    if (top >> 9) == (0xFC00 >> 9) or (top >> 6) == (0xFEC0 >> 6):
        return PRIVATE
    if hi == np.uint64(0x0064_FF9B_0000_0000) and (lo >> np.uint64(32)) == _ZERO:
        return VALID_PUBLIC  # NAT64, RFC 6052
    return BOGUS


@compiled
def _quad(characters: np.ndarray, start: Integer, end: Integer) -> Integer:
    """A strict dotted quad as a number below 2**32, or -1."""
    value: Integer = 0
    part: Integer = 0
    digits = 0
    dots = 0
    for i in range(start, end):
        character = np.int64(characters[i])
        if _NOUGHT <= character <= _NINE:
            if digits > 0 and part == 0:
                return -1
            part = part * 10 + (character - _NOUGHT)
            digits += 1
            if part > 255:
                return -1
        elif character == _DOT:
            if digits == 0 or dots == 3:
                return -1
            value = (value << 8) | part
            part = 0
            digits = 0
            dots += 1
        else:
            return -1
    if dots != 3 or digits == 0:
        return -1
    return (value << 8) | part


@compiled
def _hexadecimal(character: Integer) -> Integer:
    if 48 <= character <= 57:
        return character - 48
    if 97 <= character <= 102:
        return character - 87
    if 65 <= character <= 70:
        return character - 55
    return -1


@compiled
def _append(hi: np.uint64, lo: np.uint64, group: np.uint64) -> tuple[np.uint64, np.uint64]:
    return (hi << np.uint64(16)) | (lo >> np.uint64(48)), (lo << np.uint64(16)) | group


@compiled
def _parse_ipv6(
    characters: np.ndarray, start: Integer, end: Integer
) -> tuple[bool, np.uint64, np.uint64]:
    """Groups before and after ``::`` are gathered apart, then put together."""
    hi, lo, groups = _ZERO, _ZERO, 0
    head_hi, head_lo, head = _ZERO, _ZERO, 0
    compressed = False
    i = start
    if end - start < 2:
        return False, _ZERO, _ZERO
    if characters[i] == _COLON:
        if characters[i + 1] != _COLON:
            return False, _ZERO, _ZERO
        compressed = True
        i += 2
    while i < end:
        group: Integer = 0
        first = i
        while i < end and i - first < 5:
            digit = _hexadecimal(np.int64(characters[i]))
            if digit < 0:
                break
            group = (group << 4) | digit
            i += 1
        if i < end and characters[i] == _DOT:
            v4 = _quad(characters, first, end)
            if v4 < 0:
                return False, _ZERO, _ZERO
            hi, lo = _append(hi, lo, np.uint64(v4 >> 16))
            hi, lo = _append(hi, lo, np.uint64(v4 & 0xFFFF))
            groups += 2
            i = end
            break
        if i == first or i - first > 4:
            return False, _ZERO, _ZERO
        hi, lo = _append(hi, lo, np.uint64(group))
        groups += 1
        if groups + head > 8:
            return False, _ZERO, _ZERO
        if i == end:
            break
        if characters[i] != _COLON:
            return False, _ZERO, _ZERO
        i += 1
        if i == end:
            return False, _ZERO, _ZERO
        if characters[i] == _COLON:
            if compressed:
                return False, _ZERO, _ZERO
            compressed = True
            head_hi, head_lo, head = hi, lo, groups
            hi, lo, groups = _ZERO, _ZERO, 0
            i += 1
    if not compressed:
        return groups == 8, hi, lo
    if groups + head > 7:
        return False, _ZERO, _ZERO
    shift = 16 * (8 - head)
    if shift >= 128:
        head_hi, head_lo = _ZERO, _ZERO
    elif shift >= 64:
        head_hi = head_lo << np.uint64(shift - 64)
        head_lo = _ZERO
    else:
        head_hi = (head_hi << np.uint64(shift)) | (head_lo >> np.uint64(64 - shift))
        head_lo = head_lo << np.uint64(shift)
    return True, head_hi | hi, head_lo | lo


@compiled
def fill_addresses(
    characters: np.ndarray,
    offsets: np.ndarray,
    null: np.ndarray,
    hi: np.ndarray,
    lo: np.ndarray,
    kind: np.ndarray,
) -> None:
    """Read texts as `Addresses`; callable from other compiled functions.

    Parameters
    ----------
    characters, offsets, null : ndarray
        N texts, as in `TextBuffers`.
    hi, lo, kind : ndarray, shape (N,)
        Filled.
    """
    some_null = null.size > 0
    for row in range(kind.size):
        hi[row] = _ZERO
        lo[row] = _ZERO
        if some_null and null[row]:
            kind[row] = NULL
            continue
        start = offsets[row]
        end = offsets[row + 1]
        v4 = _quad(characters, start, end)
        if v4 >= 0:
            lo[row] = _MAPPED | np.uint64(v4)
            kind[row] = _kind_of_ipv4(v4)
            continue
        valid, upper, lower = _parse_ipv6(characters, start, end)
        if valid:
            hi[row] = upper
            lo[row] = lower
            kind[row] = _kind_of(upper, lower)
        else:
            kind[row] = INVALID


def parse_addresses(text: pa.Array | pa.ChunkedArray) -> Addresses:
    """Read addresses from Arrow text, in any layout, chunked or sliced, with nulls.

    Parameters
    ----------
    text : pyarrow Array or ChunkedArray of string, large_string, string_view or dictionary
        Addresses as text, N values.

    Returns
    -------
    Addresses
        N addresses; a text that is none has kind `INVALID`, a null has kind `NULL`.

    Examples
    --------
    >>> import pyarrow as pa
    >>> parsed = parse_addresses(pa.array(["192.0.2.1", "::ffff:192.0.2.1", "fe80::1%0", None]))
    >>> parsed.kind.tolist()
    [3, 3, 5, 6]
    >>> bool(parsed.lo[0] == parsed.lo[1])
    True
    """
    count = len(text)
    hi, lo = np.empty(count, np.uint64), np.empty(count, np.uint64)
    kind = np.empty(count, np.uint8)
    first = 0
    for chunk in as_chunks(text):
        part = slice(first, first + len(chunk))
        fill_addresses(*text_buffers(chunk), hi[part], lo[part], kind[part])
        first = part.stop
    return Addresses(hi, lo, kind)


def is_ipv4(hi: np.ndarray, lo: np.ndarray) -> np.ndarray:
    """Which addresses are IPv4 (stored as ``::ffff:a.b.c.d``).

    Parameters
    ----------
    hi, lo : ndarray of uint64, shape (N,)

    Returns
    -------
    ndarray of bool, shape (N,)
    """
    mapped: np.ndarray = (hi == 0) & ((lo >> np.uint64(32)) == 0xFFFF)
    return mapped


@compiled
def _write_number(characters: np.ndarray, at: Integer, value: Integer, base: Integer) -> Integer:
    size = 1
    rest = value // base
    while rest > 0:
        rest //= base
        size += 1
    for i in range(size):
        digit = value % base
        characters[at + size - 1 - i] = digit + (_NOUGHT if digit < 10 else 87)
        value //= base
    return at + size


@compiled
def _group(hi: np.uint64, lo: np.uint64, index: Integer) -> Integer:
    half = hi if index < 4 else lo
    return np.int64((half >> np.uint64(48 - 16 * (index & 3))) & _LOW_16)


@compiled
def _write(characters: np.ndarray, at: Integer, hi: np.uint64, lo: np.uint64) -> Integer:
    """Write one address (IPv6 as RFC 5952 has it); return where it ends."""
    if hi == _ZERO and (lo >> np.uint64(32)) == _LOW_16:
        for shift in range(24, -1, -8):
            at = _write_number(
                characters, at, np.int64((lo >> np.uint64(shift)) & np.uint64(255)), 10
            )
            if shift > 0:
                characters[at] = _DOT
                at += 1
        return at
    longest, longest_at = 1, -1
    run = 0
    for i in range(8):
        run = run + 1 if _group(hi, lo, i) == 0 else 0
        if run > longest:
            longest, longest_at = run, i - run + 1
    i = 0
    while i < 8:
        if i == longest_at:
            characters[at] = _COLON
            characters[at + 1] = _COLON
            at += 2
            i += longest
            continue
        if i > 0 and i != longest_at + longest:
            characters[at] = _COLON
            at += 1
        at = _write_number(characters, at, _group(hi, lo, i), 16)
        i += 1
    return at


@compiled
def _format(hi: np.ndarray, lo: np.ndarray, offsets: np.ndarray, characters: np.ndarray) -> None:
    """Fill the offsets alone when there is no room for characters yet."""
    measure = characters.size == 0
    one = np.empty(48, np.uint8)
    at: Integer = 0
    for row in range(hi.size):
        at = (
            at + _write(one, 0, hi[row], lo[row])
            if measure
            else _write(characters, at, hi[row], lo[row])
        )
        offsets[row + 1] = at


def format_addresses(hi: np.ndarray, lo: np.ndarray) -> pa.LargeStringArray:
    """Write addresses as text: dotted quads, and IPv6 as RFC 5952 recommends.

    Parameters
    ----------
    hi, lo : ndarray of uint64, shape (N,)

    Returns
    -------
    pyarrow.LargeStringArray, length N

    Examples
    --------
    >>> import pyarrow as pa
    >>> parsed = parse_addresses(pa.array(["::ffff:192.0.2.1", "2001:DB8:0:0:1::"]))
    >>> format_addresses(parsed.hi, parsed.lo).to_pylist()
    ['192.0.2.1', '2001:db8:0:0:1::']
    """
    offsets = np.zeros(len(hi) + 1, np.int64)
    _format(hi, lo, offsets, np.empty(0, np.uint8))
    characters = np.empty(max(int(offsets[-1]), 1), np.uint8)
    _format(hi, lo, offsets, characters)
    return pa.LargeStringArray.from_buffers(
        len(hi), pa.py_buffer(offsets), pa.py_buffer(characters)
    )
