"""The same numbers for parts of the devices: situations, kinds of world, sizes of account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from household_ml.modeling.resampling import Devices, Estimate, estimate, share

__all__ = ["Slice", "slice_devices"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Slice:
    """The same numbers for a part of the devices.

    Parameters
    ----------
    kind, value : str
        What divides the devices (``situation``, ``world``...), and the part.
    devices, accounts, households, outside : int
        Counts.
    ambiguous : bool
        Whether the policy is open on these devices; then they are in no headline number.
    probability : float
        Mean ``household_probability``.
    brier : float
        Mean squared error of the probability.
    false_flags : Estimate
        Share of its household devices flagged at the operating point of the whole (first rate).
    recall : Estimate
        Share of its outside devices flagged there.
    ratio : Estimate
        ``false_flags`` over that of the whole; above 1.5 it is named in the model card.
    called_outside, undetermined : float or None
        Shares at the model's own thresholds; None without them.
    undetermined_ratio : float or None
        ``undetermined`` over that of the whole.
    """

    kind: str
    value: str
    devices: int
    accounts: int
    households: int
    outside: int
    ambiguous: bool
    probability: float
    brier: float
    false_flags: Estimate
    recall: Estimate
    ratio: Estimate
    called_outside: float | None
    undetermined: float | None
    undetermined_ratio: float | None


def slice_devices(
    p: Floats,
    squared: Floats,
    devices: Devices,
    drawn: list[npt.NDArray[np.int32]],
    code: Ints,
    cutoff: Ints,
    calls: npt.NDArray[np.int8] | None,
    divisions: Mapping[str, npt.NDArray[Any]],
) -> tuple[Slice, ...]:
    """Measure every part of every division.

    Parameters
    ----------
    p, squared : float64 array of shape (D,)
        ``household_probability`` and its squared error.
    devices : Devices
        The same D devices.
    drawn : list of int array of shape (A,)
        How often each account is drawn.
    code : int64 array of shape (D,)
        Rank of each device, 0 = most outside.
    cutoff : int64 array
        Per draw, the last code that is flagged at the operating point of the whole.
    calls : int8 array of shape (D,) or None
        Answers at the model's thresholds: -1 outside, 0 none, 1 household.
    divisions : mapping of str to array of str, shape (D,)
        What divides the devices; an empty text belongs to no part.

    Returns
    -------
    tuple of Slice
        By division, then by name; ambiguous devices are parts of their own.
    """
    found: list[Slice] = []
    open_share = (
        float(share((calls[devices.headline] == 0).sum(), devices.headline.sum()))
        if (calls is not None)
        else None
    )
    whole = np.array(
        [
            _flag_rate(draw, code <= cut, devices.headline & ~devices.outside, devices.account)
            for draw, cut in zip(drawn, cutoff, strict=True)
        ]
    )
    for kind, values in divisions.items():
        # ambiguous devices have cells of their own, shown for situations alone
        texts = np.array([str(value) for value in values.tolist()], dtype=object)
        names, part = np.unique(texts.astype(str), return_inverse=True)
        part = 2 * part + ~devices.headline
        cells = 2 * names.size
        rates = {True: np.empty((len(drawn), cells)), False: np.empty((len(drawn), cells))}
        for index, (draw, cut) in enumerate(zip(drawn, cutoff, strict=True)):
            weight = draw[devices.account].astype(np.float64)
            hit = weight * (code <= cut)
            for outside, table in rates.items():
                chosen = devices.outside == outside
                table[index] = share(
                    np.bincount(part[chosen], weights=hit[chosen], minlength=cells),
                    np.bincount(part[chosen], weights=weight[chosen], minlength=cells),
                )
        for cell in range(cells):
            inside = part == cell
            if not inside.any() or not names[cell // 2] or (cell % 2 and kind != "situation"):
                continue
            undetermined = None if calls is None else float((calls[inside] == 0).mean())
            found.append(
                Slice(
                    kind=kind,
                    value=str(names[cell // 2]),
                    devices=int(inside.sum()),
                    accounts=int(np.unique(devices.account[inside]).size),
                    households=int((inside & ~devices.outside).sum()),
                    outside=int((inside & devices.outside).sum()),
                    ambiguous=bool(cell % 2),
                    probability=round(float(p[inside].mean()), 6),
                    brier=round(float(squared[inside].mean()), 6),
                    false_flags=estimate(rates[False][:, cell]),
                    recall=estimate(rates[True][:, cell]),
                    ratio=estimate(share(rates[False][:, cell], whole)),
                    called_outside=(
                        None if calls is None else round(float((calls[inside] == -1).mean()), 6)
                    ),
                    undetermined=None if undetermined is None else round(undetermined, 6),
                    undetermined_ratio=(
                        round(undetermined / open_share, 6)
                        if undetermined is not None and open_share
                        else None
                    ),
                )
            )
    return tuple(found)


def _flag_rate(draw: npt.NDArray[np.int32], flagged: Bools, among: Bools, account: Ints) -> float:
    weight = draw[account[among]]
    return float(share(weight[flagged[among]].sum(), weight.sum()))
