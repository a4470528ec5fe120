"""Worlds of the second hand on disk, and any scores between the references of such a world.

    python tests/truth/judge.py make --kind fr --accounts 2000 --out DIR
    python tests/truth/judge.py judge --data DIR/fr --scores scores.parquet
    household-ml evaluate --data DIR

The last line does the same for a model of the package, over all worlds in a folder. The references
are those of the package, see `household_ml.modeling.references`; a labelled device without a score
counts as one that is not suspected at all.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from household_ml.modeling.distance import MODEL, Distance, measure_distance
from household_ml.modeling.references import score_references
from household_ml.modeling.truth import align_truth
from household_ml.serving.datasets import labelled_devices, read_labelled
from household_ml.simulation.second_hand import KINDS, make_world

__all__ = ["judge", "write_world"]


def write_world(folder: Path, kind: str, accounts: int, days: int, seed: int) -> None:
    """Write the tables of a world, as `household-ml evaluate` reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in make_world(kind, accounts, days, seed).items():
        table.to_parquet(folder / f"{name}.parquet", index=False)


def judge(folder: Path, scores: pd.DataFrame, *, replicates: int = 200) -> Distance:
    """How far some scores come on a world that was written to a folder."""
    data = read_labelled(folder)
    devices = labelled_devices(data)
    learnt, features = devices.learnt, devices.features
    key = ["account_id", "device_id"]
    rows = pa.table({name: getattr(features, name) for name in key}).to_pandas()
    found = rows.merge(scores[[*key, "household_probability"]], on=key, how="left")
    suspicion = -found["household_probability"].fillna(1.0).to_numpy(dtype=np.float64)
    references = score_references(
        data.sessions,
        align_truth(data.sessions, data.truth),
        learnt.y,
        as_of=features.as_of,
        ambiguous=learnt.ambiguous,
    )
    return measure_distance(
        {MODEL: suspicion, **references},
        learnt.y,
        learnt.account,
        name=folder.name,
        ambiguous=learnt.ambiguous,
        replicates=replicates,
    )


def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("what", choices=("make", "judge"))
    parser.add_argument("--kind", choices=tuple(KINDS), action="append", help="make: all if none")
    parser.add_argument("--accounts", type=int, default=2000)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--seed", type=int, default=101)
    parser.add_argument("--out", type=Path, help="make: folder for <kind>/*.parquet")
    parser.add_argument("--data", type=Path, help="judge: <out>/<kind>")
    parser.add_argument("--scores", type=Path, help="judge: Parquet with household_probability")
    parser.add_argument("--json", action="store_true", help="judge: JSON in the place of text")
    given = parser.parse_args(arguments)
    if given.what == "judge":
        if given.data is None or given.scores is None:
            parser.error("judge needs --data and --scores")
        found = judge(given.data, pd.read_parquet(given.scores))
        sys.stdout.write((json.dumps(found.to_dict()) if given.json else found.to_text()) + "\n")
        return 0
    if given.out is None:
        parser.error("make needs --out")
    for kind in given.kind or list(KINDS):
        write_world(given.out / kind, kind, given.accounts, given.days, given.seed)
        sys.stdout.write(f"{kind}: written to {given.out / kind}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
