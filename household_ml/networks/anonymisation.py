"""Sessions without the ids and addresses that lead to people, and with the same scores.

Ids become keyed pseudonyms, addresses prefix-preserving ones; the AS, which only a true address
tells, is looked up first and written beside. What is left (times, kinds of devices, countries, who
is together with whom) is what the scores are made of, and may still single somebody out: such data
are pseudonymised, not anonymous, and remain personal data (GDPR, Article 4(5) and recital 26).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from household_ml.errors import ParameterError, Problem, SchemaError
from household_ml.networks.table import NetworkTable
from household_ml.schema import NO_AS
from household_ml.sessions.addresses import format_addresses, is_ipv4
from household_ml.sessions.keys import Keys
from household_ml.sessions.table import Sessions

__all__ = ["anonymise_sessions", "pseudonymise_ids", "truncate_addresses"]

#: Columns that name somebody or something of somebody's.
_IDS = ("account_id", "device_id", "profile_id")

_ALL = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
_MAPPED_BITS = 96


def anonymise_sessions(
    sessions: Sessions, keys: Keys, *, table: NetworkTable | None = None
) -> pa.Table:
    """The sessions table with pseudonyms for ids and addresses, and the AS of each address.

    Parameters
    ----------
    sessions : Sessions
        N accepted sessions.
    keys : Keys
        Secrets; the newest one is used.
    table : NetworkTable, optional
        Where an AS that is not given is looked up; `NetworkTable.default` when left out.

    Returns
    -------
    pyarrow.Table
        N rows with the columns of the contract. ``asn`` is never null: `household_ml.schema.NO_AS`
        where none is known. Profiles are numbers within their account.

    Examples
    --------
    >>> import pandas as pd
    >>> from household_ml.sessions import read_sessions
    >>> sessions = read_sessions(pd.DataFrame({
    ...     "account_id": ["ann"] * 2, "device_id": ["ann-tv", "ann-phone"],
    ...     "ip": ["82.64.0.1", "82.64.0.9"],
    ...     "started_at": ["2026-03-01T20:00Z", "2026-03-02T20:00Z"],
    ... }))
    >>> hidden = anonymise_sessions(sessions, Keys.generate()).to_pandas()
    >>> hidden.asn.tolist(), hidden.ip.isin(["82.64.0.1", "82.64.0.9"]).any()
    ([12322, 12322], np.False_)
    """
    table = table or NetworkTable.default()
    asn: npt.NDArray[np.uint32] = sessions.asn.astype(np.uint32)
    missing = np.flatnonzero(asn == 0)
    asn[missing] = table.lookup(sessions.ip_hi[missing], sessions.ip_lo[missing])
    asn[asn == 0] = NO_AS
    given = sessions.to_table()
    hidden = {
        "ip": format_addresses(*keys.addresses.encrypt(sessions.ip_hi, sessions.ip_lo)),
        "asn": pa.array(asn, pa.uint32()),
    }
    for name, column in hidden.items():
        given = given.set_column(given.column_names.index(name), name, column)
    return pseudonymise_ids(given, keys, kinds=_IDS[:2])


def pseudonymise_ids(table: pa.Table, keys: Keys, *, kinds: tuple[str, ...] = _IDS) -> pa.Table:
    """A table with pseudonyms for the ids in it, such as labels, accounts or scores.

    Parameters
    ----------
    table : pyarrow.Table
        With one or more of the columns named by `kinds`, as text or whole numbers.
    keys : Keys
        Secrets; the newest one is used, so that the table joins with sessions made under it.
    kinds : tuple of str
        Columns to replace.

    Returns
    -------
    pyarrow.Table
        The same rows; other columns as they were.

    Raises
    ------
    SchemaError
        There is none of the columns, or one is neither text nor whole numbers.
    """
    found = [name for name in kinds if name in table.column_names]
    if not found:
        raise SchemaError(
            Problem(
                f"the table must have one of the columns {', '.join(kinds)}",
                f"the columns {', '.join(table.column_names) or '(none)'}",
                "Rename the column of the ids.",
            )
        )
    names = keys.pseudonyms
    for name in found:
        try:
            text = table[name].cast(pa.large_string())
        except pa.ArrowException as error:
            raise SchemaError(
                Problem(
                    f"column '{name}' must be text or whole numbers",
                    str(table[name].type),
                    "Cast the ids to text.",
                )
            ) from error
        table = table.set_column(table.column_names.index(name), name, names.make(name, text))
    return table


def truncate_addresses(
    hi: npt.NDArray[np.uint64],
    lo: npt.NDArray[np.uint64],
    *,
    v4_bits: int = 24,
    v6_bits: int = 48,
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Addresses cut to a prefix, as privacy policies often ask for; what it costs is measured.

    Parameters
    ----------
    hi, lo : ndarray of uint64, shape (N,)
        Halves of the addresses.
    v4_bits, v6_bits : int, default=24, 48
        Leading bits that are kept, 0 to 32 and 0 to 128.

    Returns
    -------
    hi, lo : ndarray of uint64, shape (N,)

    Raises
    ------
    ParameterError
        A number of bits is out of its range.

    Examples
    --------
    >>> from household_ml.sessions.addresses import parse_addresses
    >>> given = parse_addresses(pa.array(["203.0.113.7", "2001:db8:1:2::3"]))
    >>> format_addresses(*truncate_addresses(given.hi, given.lo)).to_pylist()
    ['203.0.113.0', '2001:db8:1::']
    """
    if not 0 <= v4_bits <= 32 or not 0 <= v6_bits <= 128:
        raise ParameterError(
            Problem(
                "v4_bits must be 0 to 32 and v6_bits 0 to 128",
                f"{v4_bits} and {v6_bits}",
                "The usual cuts are 24 and 48.",
            )
        )
    bits = np.where(is_ipv4(hi, lo), _MAPPED_BITS + v4_bits, v6_bits)
    return hi & _mask(np.minimum(bits, 64)), lo & _mask(np.maximum(bits - 64, 0))


def _mask(bits: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """Halves of which the first 0 to 64 bits are set."""
    shift = np.minimum(64 - bits, 63).astype(np.uint64)
    return np.where(bits == 0, np.uint64(0), _ALL << shift)
