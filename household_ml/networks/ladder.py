"""The prefix ladder: one address seen at several lengths, from one line to one region.

===== ======= ======= =====================================================
level IPv4    IPv6    what shares it
===== ======= ======= =====================================================
0     /32     /64     one access line (or all that stand behind one address)
1     /24     /56     one neighbourhood of lines, one IPv6 delegation
2     /20     /48     one pool of an operator
3     AS      AS      one network operator
===== ======= ======= =====================================================

Addresses are 128-bit numbers in two halves; IPv4 is stored as ``::ffff:a.b.c.d``.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from household_ml.compiling import compiled
from household_ml.errors import ParameterError, Problem

__all__ = [
    "AS_LEVEL",
    "LEVELS",
    "PREFIX_BITS",
    "cut_key",
    "prefix",
    "prefix_key",
    "prefix_keys",
    "prefixes",
]

#: Levels of the ladder; the last is the AS, which is not a prefix.
LEVELS: Final = 4
AS_LEVEL: Final = 3

#: Length of the prefix at levels 0 to 2, of IPv4 and of IPv6.
PREFIX_BITS: Final = ((32, 64), (24, 56), (20, 48))

_V4 = np.uint64(0xFFFF)
_SHIFT_32 = np.uint64(32)
_ZERO = np.uint64(0)
_KEEP_8 = np.uint64(0xFFFF_FFFF_FFFF_FF00)
_KEEP_12 = np.uint64(0xFFFF_FFFF_FFFF_F000)
_KEEP_16 = np.uint64(0xFFFF_FFFF_FFFF_0000)


@compiled
def prefix(hi: np.uint64, lo: np.uint64, level: int) -> tuple[np.uint64, np.uint64]:
    """Cut one address to the prefix of a level; callable from other compiled functions.

    Parameters
    ----------
    hi, lo : uint64
        Halves of the address.
    level : int
        0, 1 or 2; not checked here.

    Returns
    -------
    hi, lo : uint64
        Halves of the first address of the prefix.

    Examples
    --------
    >>> from ipaddress import IPv6Address
    >>> hi, lo = prefix(np.uint64(0x20010DB8_00FF01FF), np.uint64(1), 1)
    >>> str(IPv6Address(int(hi) << 64 | int(lo)))
    '2001:db8:ff:100::'
    """
    if hi == _ZERO and (lo >> _SHIFT_32) == _V4:
        if level == 0:
            return hi, lo
        if level == 1:
            return hi, lo & _KEEP_8
        return hi, lo & _KEEP_12
    if level == 0:
        return hi, _ZERO
    if level == 1:
        return hi & _KEEP_8, _ZERO
    return hi & _KEEP_16, _ZERO


@compiled
def cut_key(key: np.uint64, level: int) -> np.uint64:
    """Key of the network of a level in which the network of level 0 with this key lies."""
    if level == 0:
        return key
    if level == 1:
        return key & _KEEP_8
    if (key >> _SHIFT_32) == _V4:
        return key & _KEEP_12
    return key & _KEEP_16


@compiled
def prefix_key(hi: np.uint64, lo: np.uint64, level: int) -> np.uint64:
    """Name the prefix of one address by one number, in the order of the addresses.

    The lower half of an IPv4 prefix, the upper half of an IPv6 one. So ``0:ffff::/32``, which
    RFC 4291 keeps reserved, falls together with IPv4.

    Parameters
    ----------
    hi, lo : uint64
        Halves of the address.
    level : int
        0, 1 or 2; not checked here.

    Returns
    -------
    uint64
        Equal for two addresses if and only if they share the prefix.
    """
    if hi != _ZERO:
        return cut_key(hi, level)
    if (lo >> _SHIFT_32) == _V4:
        return cut_key(lo, level)
    return _ZERO


@compiled
def _fill_prefixes(
    hi: npt.NDArray[np.uint64],
    lo: npt.NDArray[np.uint64],
    level: int,
    high: npt.NDArray[np.uint64],
    low: npt.NDArray[np.uint64],
) -> None:
    for i in range(hi.size):
        high[i], low[i] = prefix(hi[i], lo[i], level)


@compiled
def _fill_keys(
    hi: npt.NDArray[np.uint64],
    lo: npt.NDArray[np.uint64],
    level: int,
    keys: npt.NDArray[np.uint64],
) -> None:
    for i in range(hi.size):
        keys[i] = prefix_key(hi[i], lo[i], level)


def _check(level: int) -> None:
    if not 0 <= level < AS_LEVEL:
        raise ParameterError(
            Problem(
                "level must be 0 (/32 or /64), 1 (/24 or /56) or 2 (/20 or /48)",
                str(level),
                "Level 3 is the AS, which no address tells by itself.",
            )
        )


def prefixes(
    hi: npt.NDArray[np.uint64], lo: npt.NDArray[np.uint64], level: int
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Cut whole columns of addresses to the prefix of a level.

    Parameters
    ----------
    hi, lo : ndarray of uint64, shape (n,)
        Halves of the addresses.
    level : int
        0, 1 or 2.

    Returns
    -------
    hi, lo : ndarray of uint64, shape (n,)
        Halves of the first address of each prefix.

    Raises
    ------
    ParameterError
        There is no such level.

    Examples
    --------
    >>> lo = np.array([0xFFFF_CB00_71FE], np.uint64)  # 203.0.113.254
    >>> [hex(int(prefixes(lo * 0, lo, level)[1][0])) for level in range(3)]
    ['0xffffcb0071fe', '0xffffcb007100', '0xffffcb007000']
    """
    _check(level)
    high, low = np.empty(hi.size, np.uint64), np.empty(hi.size, np.uint64)
    _fill_prefixes(hi, lo, level, high, low)
    return high, low


def prefix_keys(
    hi: npt.NDArray[np.uint64], lo: npt.NDArray[np.uint64], level: int
) -> npt.NDArray[np.uint64]:
    """Name the prefixes of whole columns by one number each; see `prefix_key`.

    Parameters
    ----------
    hi, lo : ndarray of uint64, shape (n,)
        Halves of the addresses.
    level : int
        0, 1 or 2.

    Returns
    -------
    ndarray of uint64, shape (n,)

    Raises
    ------
    ParameterError
        There is no such level.
    """
    _check(level)
    keys = np.empty(hi.size, np.uint64)
    _fill_keys(hi, lo, level, keys)
    return keys
