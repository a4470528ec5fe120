"""Prefix-preserving encryption of addresses: ipcrypt-pfx, compiled.

Two addresses share exactly as many leading bits after it as before, so networks stay networks at
every length of prefix, while nobody without the key can tell which networks they are. Such schemes
go back to Xu, Fan, Ammar and Moon (ICNP 2002, "Crypto-PAn"); this one is ``ipcrypt-pfx`` of
F. Denis, "Methods for IP Address Encryption and Obfuscation" (Internet-Draft draft-denis-ipcrypt,
work in progress; also in libsodium), chosen for its IPv6, its published test vectors and its
security bound: bit ``p`` of an address is flipped by the last bit of ``AES(K1, x) ^ AES(K2, x)``,
where ``x`` is a one followed by the ``p`` bits before it. IPv4 stays IPv4: its mapped prefix
``::ffff:0:0/96`` is kept.

AES-128 is that of FIPS 197, by tables. Table look-ups are not constant in time: whoever can measure
this process to the nanosecond could learn about the key. Run it where the key may lie.

What the scheme tells on purpose is what is equal. Whoever knows a few real addresses of the data,
or can place sessions of their own in it, learns their prefixes, and with them some bits of every
neighbour. So its output is still personal data, under another name.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from household_ml.compiling import compiled
from household_ml.errors import ParameterError, Problem

__all__ = ["KEY_BYTES", "PrefixPreserving"]

#: Bytes of a key: two different AES-128 keys.
KEY_BYTES = 32

Words = npt.NDArray[np.uint64]

_ZERO, _ONE = np.uint64(0), np.uint64(1)
_BYTE = np.uint64(0xFF)
_LOW_32 = np.uint64(0xFFFF_FFFF)
_8, _16, _24, _32 = np.uint64(8), np.uint64(16), np.uint64(24), np.uint64(32)
_MAPPED = np.uint64(0xFFFF)

#: Addresses encrypted by one thread at a time.
_CHUNK = 1 << 15


def _sbox() -> npt.NDArray[np.uint64]:
    """S-box of FIPS 197: the inverse in GF(2**8), then the affine map of section 5.1.1."""
    power, log, value = [0] * 255, [0] * 256, 1
    for exponent in range(255):
        power[exponent], log[value] = value, exponent
        doubled = value << 1 ^ (0x11B if value & 0x80 else 0)
        value ^= doubled
    box = np.zeros(256, np.uint64)
    for byte in range(256):
        inverse = power[-log[byte] % 255] if byte else 0
        turned = inverse
        for turn in range(1, 5):
            turned ^= (inverse << turn | inverse >> (8 - turn)) & 0xFF
        box[byte] = turned ^ 0x63
    return box


def _tables(box: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """SubBytes and MixColumns of one byte in each of the four rows of a column."""
    doubled = box << _ONE ^ np.where(box & np.uint64(0x80), np.uint64(0x11B), _ZERO)
    first = doubled << _24 | box << _16 | box << _8 | (doubled ^ box)
    return np.stack([(first >> np.uint64(8 * r) | first << np.uint64(32 - 8 * r)) & _LOW_32
                     for r in range(4)])  # fmt: skip


_SBOX = _sbox()
_T0, _T1, _T2, _T3 = _tables(_SBOX)


def _expand(key: bytes) -> Words:
    """Round keys of AES-128, FIPS 197 section 5.2: 44 words."""
    words = [int.from_bytes(key[i : i + 4], "big") for i in range(0, 16, 4)]
    constant = 1
    for i in range(4, 44):
        word = words[-1]
        if i % 4 == 0:
            turned = (word << 8 | word >> 24) & 0xFFFF_FFFF
            told = [int(_SBOX[turned >> shift & 0xFF]) for shift in (24, 16, 8, 0)]
            word = int.from_bytes(bytes(told), "big") ^ constant << 24
            constant = constant << 1 ^ (0x11B if constant & 0x80 else 0)
        words.append(words[-4] ^ word)
    return np.array(words, np.uint64)


@compiled
def _last_byte(hi: np.uint64, lo: np.uint64, keys: Words) -> np.uint64:
    """Byte 15 of AES-128 of one block; the last round is done for that byte alone."""
    a = (hi >> _32) ^ keys[0]
    b = (hi & _LOW_32) ^ keys[1]
    c = (lo >> _32) ^ keys[2]
    d = (lo & _LOW_32) ^ keys[3]
    for i in range(4, 40, 4):
        e = _T0[a >> _24] ^ _T1[b >> _16 & _BYTE] ^ _T2[c >> _8 & _BYTE] ^ _T3[d & _BYTE]
        f = _T0[b >> _24] ^ _T1[c >> _16 & _BYTE] ^ _T2[d >> _8 & _BYTE] ^ _T3[a & _BYTE]
        g = _T0[c >> _24] ^ _T1[d >> _16 & _BYTE] ^ _T2[a >> _8 & _BYTE] ^ _T3[b & _BYTE]
        h = _T0[d >> _24] ^ _T1[a >> _16 & _BYTE] ^ _T2[b >> _8 & _BYTE] ^ _T3[c & _BYTE]
        a, b, c, d = e ^ keys[i], f ^ keys[i + 1], g ^ keys[i + 2], h ^ keys[i + 3]
    last: np.uint64 = _SBOX[c & _BYTE] ^ (keys[43] & _BYTE)
    return last


@compiled
def _shift_right(hi: np.uint64, lo: np.uint64, by: int) -> tuple[np.uint64, np.uint64]:
    """A 128-bit number shifted by 0 to 128 bits."""
    if by >= 128:
        return _ZERO, _ZERO
    if by >= 64:
        return _ZERO, hi >> np.uint64(by - 64)
    if by == 0:
        return hi, lo
    return hi >> np.uint64(by), (lo >> np.uint64(by)) | (hi << np.uint64(64 - by))


@compiled
def _flip(hi: np.uint64, lo: np.uint64, place: int, one: Words, other: Words) -> np.uint64:
    """The bit that flips bit ``place`` (0 = the first) of an address, from those before it."""
    high, low = _shift_right(hi, lo, 128 - place)
    if place < 64:
        low |= _ONE << np.uint64(place)
    else:
        high |= _ONE << np.uint64(place - 64)
    return (_last_byte(high, low, one) ^ _last_byte(high, low, other)) & _ONE


@compiled
def _put(hi: np.uint64, lo: np.uint64, place: int, bit: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Flip bit ``place`` of a 128-bit number by ``bit``."""
    if place < 64:
        return hi ^ (bit << np.uint64(63 - place)), lo
    return hi, lo ^ (bit << np.uint64(127 - place))


@compiled
def _shared_bits(hi: np.uint64, lo: np.uint64, hi2: np.uint64, lo2: np.uint64) -> int:
    """How many leading bits two numbers share."""
    differ = hi ^ hi2
    bits = 0
    if differ == _ZERO:
        differ = lo ^ lo2
        bits = 64
        if differ == _ZERO:
            return 128
    while differ >> np.uint64(63) == _ZERO:
        differ <<= _ONE
        bits += 1
    return bits


@compiled
def _encrypt(hi: Words, lo: Words, one: Words, other: Words, out_hi: Words, out_lo: Words) -> None:
    """Encrypt addresses in ascending order: what one shares with the next is computed once."""
    flips = np.zeros(128, np.uint64)
    for i in range(hi.size):
        mapped = hi[i] == _ZERO and lo[i] >> _32 == _MAPPED
        first = 96 if mapped else 0
        fresh = first
        if i > 0:
            before = hi[i - 1] == _ZERO and lo[i - 1] >> _32 == _MAPPED
            if before == mapped:
                fresh = max(first, _shared_bits(hi[i], lo[i], hi[i - 1], lo[i - 1]) + 1)
        high, low = hi[i], lo[i]
        for place in range(first, 128):
            if place >= fresh:
                flips[place] = _flip(hi[i], lo[i], place, one, other)
            high, low = _put(high, low, place, flips[place])
        out_hi[i], out_lo[i] = high, low


@compiled
def _decrypt(hi: Words, lo: Words, one: Words, other: Words, out_hi: Words, out_lo: Words) -> None:
    for i in range(hi.size):
        mapped = hi[i] == _ZERO and lo[i] >> _32 == _MAPPED
        high, low = hi[i], lo[i]
        for place in range(96 if mapped else 0, 128):
            # Bits before `place` are decrypted by now, and those are all that the flip looks at.
            high, low = _put(high, low, place, _flip(high, low, place, one, other))
        out_hi[i], out_lo[i] = high, low


@dataclass(frozen=True)
class PrefixPreserving:
    """One key for addresses.

    Parameters
    ----------
    key : bytes
        32 bytes whose halves differ.

    Raises
    ------
    ParameterError
        When the key is of another length, or its halves are equal.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from household_ml.sessions.addresses import format_addresses, parse_addresses
    >>> names = PrefixPreserving(bytes.fromhex(
    ...     "2b7e151628aed2a6abf7158809cf4f3ca9f5ba40db214c3798f2e1c23456789a"))
    >>> given = parse_addresses(pa.array(["10.0.0.47", "10.0.0.129", "2001:db8::1"]))
    >>> format_addresses(*names.encrypt(given.hi, given.lo)).to_pylist()[:2]
    ['19.214.210.244', '19.214.210.80']
    """

    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key) != KEY_BYTES or self.key[:16] == self.key[16:]:
            raise ParameterError(
                Problem(
                    f"the key of addresses must be {KEY_BYTES} bytes whose halves differ",
                    f"{len(self.key)} bytes",
                    "Make one with secrets.token_bytes(32).",
                )
            )

    def encrypt(self, hi: Words, lo: Words) -> tuple[Words, Words]:
        """Encrypt whole columns of addresses; equal ones once.

        Parameters
        ----------
        hi, lo : ndarray of uint64, shape (N,)
            Halves of the 128-bit addresses; IPv4 as ``::ffff:a.b.c.d``.

        Returns
        -------
        hi, lo : ndarray of uint64, shape (N,)
            IPv4 where it was IPv4.
        """
        order = np.lexsort((lo, hi))
        high, low = np.ascontiguousarray(hi)[order], np.ascontiguousarray(lo)[order]
        new = np.ones(len(order), np.bool_)
        new[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
        found = self._in_threads(high[new], low[new])
        back = np.empty(len(order), np.int64)
        back[order] = np.cumsum(new) - 1
        return found[0][back], found[1][back]

    def decrypt(self, hi: Words, lo: Words) -> tuple[Words, Words]:
        """The addresses that :meth:`encrypt` gave these for.

        Parameters
        ----------
        hi, lo : ndarray of uint64, shape (N,)

        Returns
        -------
        hi, lo : ndarray of uint64, shape (N,)
        """
        out_hi, out_lo = np.empty(len(hi), np.uint64), np.empty(len(hi), np.uint64)
        high, low = np.ascontiguousarray(hi), np.ascontiguousarray(lo)
        _decrypt(high, low, *self._round_keys(), out_hi, out_lo)
        return out_hi, out_lo

    def _round_keys(self) -> tuple[Words, Words]:
        return _expand(self.key[:16]), _expand(self.key[16:])

    def _in_threads(self, hi: Words, lo: Words) -> tuple[Words, Words]:
        out_hi, out_lo = np.empty_like(hi), np.empty_like(lo)
        keys = self._round_keys()

        def encrypt(first: int) -> None:
            part = slice(first, first + _CHUNK)
            _encrypt(hi[part], lo[part], *keys, out_hi[part], out_lo[part])

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(encrypt, range(0, len(hi), _CHUNK)))
        return out_hi, out_lo
