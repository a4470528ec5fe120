"""References on independent worlds: the plain model, the line oracle and the oracle.

The distance that a model covers is measured between two references on the same data: the
*plain model* (straightforward features per device, trained inside the world by account-grouped
cross-validation) and the *oracle* (the same learner told the true place of every session).

    python tests/truth/judge.py make --kind fr --accounts 2000 --out DIR
    python tests/truth/judge.py refs --kind fr --data DIR --cache CACHE
    python tests/truth/judge.py plain|line|oracle --kind fr --accounts 2000
    python tests/truth/judge.py judge --data DIR/fr --scores scores.parquet --cache CACHE

Recall is the share of outside devices that are flagged when at most 1 % (or 0.1 %) of the
household devices are; policy-ambiguous devices are left out of both.
"""

from __future__ import annotations

import argparse
import hashlib
import ipaddress
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import GroupKFold

sys.path.insert(0, str(Path(__file__).resolve().parent))

from household_ml.simulation import second_hand
from household_ml.simulation.second_hand import KINDS, make_world

__all__ = [
    "covered",
    "line_features",
    "load",
    "oracle_features",
    "plain_features",
    "recall_at",
    "references",
    "score_out_of_fold",
]

KEY = ["account_id", "device_id"]
DEVICES = (
    "tv",
    "set_top_box",
    "streaming_stick",
    "game_console",
    "phone",
    "tablet",
    "computer",
    "other",
)
WINDOW_DAYS = 90.0
RATES = (0.01, 0.001)


def covered(recall_model: float, recall_plain: float, recall_oracle: float) -> float:
    """Share of the way from the plain model to the oracle; nan when there is no way to go.

    >>> round(covered(0.65, 0.3, 0.8), 2)
    0.7
    """
    way = recall_oracle - recall_plain
    return float("nan") if way <= 0 else (recall_model - recall_plain) / way


def recall_at(outside: np.ndarray, suspicion: np.ndarray, rate: float) -> float:
    """Recall of outside with at most `rate` of the household devices flagged.

    The threshold flags every device that scores above it, so ties count as a whole.

    >>> recall_at(np.array([1, 1, 0, 0]), np.array([0.9, 0.4, 0.5, 0.1]), 0.01)
    0.5
    """
    household = np.sort(suspicion[outside == 0])[::-1]
    allowed = int(np.floor(rate * len(household)))
    if allowed >= len(household):
        return 1.0
    return float((suspicion[outside == 1] > household[allowed]).mean())


# --------------------------------------------------------------------------- features


def _networks(text: str) -> tuple[str, str]:
    """Two coarser networks of an address: /24 and /16, or /64 and /48."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return "?", "?"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return f"{int(address) >> 64:x}/64", f"{int(address) >> 80:x}/48"
        address = address.ipv4_mapped
    return f"{int(address) >> 8:x}/24", f"{int(address) >> 16:x}/16"


def _prepare(sessions: pd.DataFrame) -> pd.DataFrame:
    """Sessions with local time, nights and networks; rows that cannot be read stay as '?'."""
    table = sessions.reset_index(drop=True).copy()
    unique = table["ip"].astype(str).unique()
    pairs = [_networks(text) for text in unique]
    table["net"] = (
        table["ip"].astype(str).map(dict(zip(unique, (a for a, _ in pairs), strict=True)))
    )
    table["wide"] = (
        table["ip"].astype(str).map(dict(zip(unique, (b for _, b in pairs), strict=True)))
    )
    table["exact"] = np.where(table["net"].str.endswith("/64"), table["net"], table["ip"])
    offset: np.ndarray = np.zeros(len(table))
    if "utc_offset_min" in table:
        offset = table["utc_offset_min"].astype(float).fillna(0.0).to_numpy(dtype=float)
    elif "country" in table:
        offset = table["country"].map({"FR": 60.0, "US": -300.0}).fillna(0.0).to_numpy(dtype=float)
    end = table["started_at"].max()
    age = (end - table["started_at"]).dt.total_seconds().to_numpy() / 86400.0
    table["age"] = age
    local = table["started_at"] + pd.to_timedelta(offset, unit="min")
    table["hour"] = local.dt.hour
    table["day"] = (local - pd.Timedelta(hours=12)).dt.floor("D")
    table["night"] = (table["hour"] >= 20) | (table["hour"] < 6)
    table["weekend"] = local.dt.day_of_week >= 5
    if "duration_s" not in table:
        table["duration_s"] = np.nan
    return table


def _entropy(table: pd.DataFrame, column: str) -> pd.Series:
    counts = table.groupby([*KEY, column], observed=True).size()
    share = counts / counts.groupby(level=[0, 1]).transform("sum")
    return -(share * np.log(share)).groupby(level=[0, 1]).sum()


def _generic(table: pd.DataFrame) -> pd.DataFrame:
    """What can be said without looking at networks."""
    grouped = table.groupby(KEY)
    out = pd.DataFrame(index=grouped.size().index)
    out["sessions"] = grouped.size()
    out["minutes"] = grouped["duration_s"].sum() / 60.0
    out["minutes_mean"] = grouped["duration_s"].mean() / 60.0
    out["days"] = grouped["day"].nunique()
    out["age_last"] = grouped["age"].min()
    out["age_first"] = grouped["age"].max()
    out["night_share"] = grouped["night"].mean()
    out["weekend_share"] = grouped["weekend"].mean()
    account = out.groupby(level=0)
    out["account_sessions"] = account["sessions"].transform("sum")
    out["account_devices"] = account["sessions"].transform("size")
    out["share_of_account"] = out["sessions"] / out["account_sessions"]
    out["rank"] = account["sessions"].rank(ascending=False, method="first")
    if "profile_id" in table:
        out["profiles"] = grouped["profile_id"].nunique()
    if "device_type" in table:
        kind = grouped["device_type"].first()
        for name in DEVICES:
            out[f"is_{name}"] = (kind == name).astype(float)
    return out


def _overlap(table: pd.DataFrame, column: str, stem: str) -> pd.DataFrame:
    """How a device relates to the networks of its account at one level."""
    table = table.reset_index(drop=True)
    grouped = table.groupby(KEY)
    out = pd.DataFrame(index=grouped.size().index)
    pair = table.groupby(["account_id", column]).agg(
        rows=("ip", "size"), devices=("device_id", "nunique"), nights=("day", "nunique")
    )
    top = pair.sort_values("rows").groupby(level=0).tail(1).reset_index()
    steady = pair.sort_values(["devices", "nights"]).groupby(level=0).tail(1).reset_index()
    crowd = table.groupby(column)["account_id"].nunique()
    at_top = table[column] == table["account_id"].map(top.set_index("account_id")[column])
    at_steady = table[column] == table["account_id"].map(steady.set_index("account_id")[column])
    rows = table[["account_id", column]].merge(
        pair.reset_index(), on=["account_id", column], how="left"
    )
    mine = table.groupby([*KEY, column])["ip"].transform("size").to_numpy()
    others = (rows["devices"].to_numpy() > 1).astype(float)
    foreign = (rows["rows"].to_numpy() - mine) / rows["rows"].to_numpy()
    keys = [table["account_id"], table["device_id"]]
    out[f"{stem}_top"] = at_top.groupby(keys).mean()
    out[f"{stem}_steady"] = at_steady.groupby(keys).mean()
    out[f"{stem}_count"] = grouped[column].nunique()
    out[f"{stem}_entropy"] = _entropy(table, column)
    out[f"{stem}_shared"] = pd.Series(others).groupby(keys).mean()
    out[f"{stem}_foreign"] = pd.Series(foreign).groupby(keys).mean()
    out[f"{stem}_crowd"] = table[column].map(crowd).map(np.log).groupby(keys).mean()
    last = table["age"].where(at_top).groupby(keys).min()
    out[f"{stem}_top_age"] = last.fillna(2 * WINDOW_DAYS)
    return out


def plain_features(sessions: pd.DataFrame) -> pd.DataFrame:
    """About forty features per device, such as anybody writes in an afternoon."""
    table = _prepare(sessions)
    table["as"] = table["asn"].astype("Int64").astype(str) if "asn" in table else "?"
    parts = [_generic(table), _overlap(table, "exact", "ip"), _overlap(table, "net", "net")]
    system = _overlap(table, "as", "as").drop(columns=["as_crowd", "as_foreign"])
    parts.append(system)
    evening = table[table["night"]]
    if len(evening):
        night = _overlap(evening, "net", "night")[["night_top", "night_shared"]]
        parts.append(night)
    out = pd.concat(parts, axis=1)
    return out.loc[:, ~out.columns.duplicated()].reindex(parts[0].index)


def line_features(sessions: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """The plain view with the true access line in the place of the address.

    Nothing is told about sessions without an access line of their own (mobile, VPN, public
    networks), nor which line is the home's: that is taken to be the line that most devices of
    the account used on most nights.
    """
    table = _prepare(sessions)
    table["place"] = truth["line_id"].to_numpy()
    fixed = table[table["place"] >= 0]
    pair = fixed.groupby(["account_id", "place"]).agg(
        rows=("ip", "size"), devices=("device_id", "nunique"), nights=("day", "nunique")
    )
    pair["claim"] = pair["rows"] * np.sqrt(pair["devices"])
    best = pair.sort_values("claim").groupby(level=0).tail(1).reset_index()
    table["home"] = table["place"] == table["account_id"].map(best.set_index("account_id")["place"])
    base = _lived(table)
    wires = _overlap(fixed, "place", "line")
    night = fixed[fixed["night"]]
    extra = _overlap(night, "place", "night")[["night_top", "night_shared"]]
    table["as"] = table["asn"].astype("Int64").astype(str) if "asn" in table else "?"
    system = _overlap(table, "as", "as")[["as_top", "as_count"]]
    return pd.concat([base, wires, extra, system], axis=1).reindex(base.index)


def oracle_features(sessions: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """The device's life told by the true place of every session."""
    table = _prepare(sessions)
    table["place"] = truth["place_id"].to_numpy()
    table["home"] = truth["at_home"].to_numpy(dtype=bool)
    return _lived(table)


def _lived(table: pd.DataFrame) -> pd.DataFrame:
    """A device's life, from the columns place (-1 none) and home (bool)."""
    out = _generic(table)
    keys = [table["account_id"], table["device_id"]]
    home = table["home"]
    out["home_share"] = home.groupby(keys).mean()
    out["home_sessions"] = home.groupby(keys).sum()
    out["home_last"] = table["age"].where(home).groupby(keys).min().fillna(2 * WINDOW_DAYS)
    out["home_first"] = table["age"].where(home).groupby(keys).max().fillna(-1)
    at = table[home]
    out["home_days"] = at.groupby(KEY)["day"].nunique()
    out["home_nights"] = at[at["night"]].groupby(KEY)["day"].nunique()
    recent = table[table["age"] < 30]
    out["home_recent"] = recent["home"].groupby([recent["account_id"], recent["device_id"]]).mean()
    away = table[~home & (table["place"] >= 0)]
    out["moving_share"] = (table["place"] < 0).groupby(keys).mean()
    if len(away):
        spots = away.groupby([*KEY, "place"]).agg(
            rows=("ip", "size"), days=("day", "nunique"), first=("age", "max"), last=("age", "min")
        )
        best = spots.sort_values("rows").groupby(level=[0, 1]).tail(1).droplevel(2)
        out["base_share"] = best["rows"] / out["sessions"]
        out["base_days"] = best["days"]
        out["base_span"] = best["first"] - best["last"]
        out["base_last"] = best["last"]
        out["places"] = spots.groupby(level=[0, 1]).size()
        pair = away.groupby(["account_id", "place"]).agg(
            devices=("device_id", "nunique"), rows=("ip", "size"), days=("day", "nunique")
        )
        big = spots.sort_values("rows").groupby(level=[0, 1]).tail(1).reset_index()
        big = big[[*KEY, "place"]].merge(pair.reset_index(), on=["account_id", "place"])
        big = big.set_index(KEY)
        out["base_devices"] = big["devices"]
        out["base_rows"] = big["rows"]
        out["base_account_days"] = big["days"]
        visitors = table[home][KEY].drop_duplicates().assign(seen=1.0)
        mates = away[[*KEY, "place"]].drop_duplicates().merge(visitors, on=KEY, how="left")
        mates["seen"] = mates["seen"].fillna(0.0)
        share = mates.groupby(["account_id", "place"])["seen"].mean()
        big = big.join(share.rename("seen"), on=["account_id", "place"])
        out["base_mates_home"] = big["seen"]
    filled = ["home_days", "home_nights", "base_share", "base_days", "places"]
    present = [name for name in filled if name in out]
    out[present] = out[present].fillna(0)
    return out


# --------------------------------------------------------------------------- scoring


def score_out_of_fold(features: pd.DataFrame, labels: pd.DataFrame, folds: int = 5) -> np.ndarray:
    """Suspicion of each label row, from models that never saw its account."""
    rows = features.reindex(pd.MultiIndex.from_frame(labels[KEY])).to_numpy(dtype=float)
    outside = (~labels["in_household"].to_numpy(dtype=bool)).astype(int)
    clear = ~labels["policy_ambiguous"].to_numpy(dtype=bool)
    groups = labels["account_id"].to_numpy()
    suspicion = np.zeros(len(labels))
    for train, test in GroupKFold(folds).split(rows, outside, groups):
        kept = train[clear[train]]
        model = HistGradientBoostingClassifier(
            max_iter=250,
            learning_rate=0.05,
            max_leaf_nodes=15,
            min_samples_leaf=20,
            l2_regularization=1.0,
            random_state=0,
        )
        model.fit(rows[kept], outside[kept])
        suspicion[test] = model.predict_proba(rows[test])[:, 1]
    return suspicion


def _recalls(labels: pd.DataFrame, suspicion: np.ndarray) -> dict[str, float]:
    clear = ~labels["policy_ambiguous"].to_numpy(dtype=bool)
    outside = (~labels["in_household"].to_numpy(dtype=bool)).astype(int)
    return {
        f"recall_at_{rate:g}": round(recall_at(outside[clear], suspicion[clear], rate), 4)
        for rate in RATES
    }


def references(
    world: dict[str, pd.DataFrame],
    which: tuple[str, ...] = ("plain", "line", "oracle"),
    *,
    slices: bool = False,
) -> dict[str, object]:
    """Recall of the references on one world."""
    sessions, labels, truth = world["sessions"], world["labels"], world["truth"]
    clear = labels[~labels["policy_ambiguous"].astype(bool)]
    out: dict[str, object] = {
        "accounts": int(world["accounts"].shape[0]),
        "sessions": len(sessions),
        "devices": len(labels),
        "outside_share": round(float(1 - clear["in_household"].astype(float).mean()), 4),
    }
    for name in which:
        if name == "plain":
            features = plain_features(sessions)
        elif name == "line":
            features = line_features(sessions, truth)
        else:
            features = oracle_features(sessions, truth)
        suspicion = score_out_of_fold(features, labels)
        found: dict[str, object] = {"features": features.shape[1], **_recalls(labels, suspicion)}
        if slices:
            found["slices"] = by_situation(labels, suspicion)
        out[name] = found
    return out


def by_situation(
    labels: pd.DataFrame, suspicion: np.ndarray, rate: float = 0.01
) -> dict[str, float]:
    """Share flagged per situation at that rate of household false flags."""
    clear = ~labels["policy_ambiguous"].to_numpy(dtype=bool)
    inside = labels["in_household"].to_numpy(dtype=bool)
    household = np.sort(suspicion[clear & inside])[::-1]
    flagged = suspicion > household[int(np.floor(rate * len(household)))]
    table = pd.DataFrame({"situation": labels["situation"], "flagged": flagged})
    return {
        str(k): round(float(v), 4) for k, v in table.groupby("situation")["flagged"].mean().items()
    }


def load(folder: Path) -> dict[str, pd.DataFrame]:
    """A world that was written to a folder."""
    names = ("sessions", "accounts", "labels", "truth")
    return {name: pd.read_parquet(folder / f"{name}.parquet") for name in names}


def _write(world: dict[str, pd.DataFrame], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in world.items():
        table.to_parquet(folder / f"{name}.parquet", index=False)


def _digest() -> str:
    """Digest of this file and of the simulator, so that a stale cache is not used."""
    here = Path(__file__).resolve()
    text = here.read_bytes() + Path(second_hand.__file__).read_bytes()
    return hashlib.sha256(text).hexdigest()[:12]


def cached_references(
    cache: Path | None, kind: str, accounts: int, days: int, seed: int, *, slices: bool = True
) -> dict[str, object]:
    """References of a world, computed once per version of this code."""
    name = f"{kind}-{accounts}-{days}-{seed}-{_digest()}.json"
    if cache is not None and (cache / name).exists():
        stored: dict[str, object] = json.loads((cache / name).read_text("utf-8"))
        return stored
    out = references(make_world(kind, accounts, days, seed), slices=slices)
    if cache is not None:
        cache.mkdir(parents=True, exist_ok=True)
        (cache / name).write_text(json.dumps(out, indent=1), "utf-8")
    return out


def judge(folder: Path, scores: pd.DataFrame, known: dict[str, object] | None) -> dict[str, object]:
    """How far a model's scores come on a world that was written to a folder.

    A labelled device without a score counts as one that is not suspected at all.
    """
    world = load(folder)
    labels = world["labels"]
    probability = labels[KEY].merge(scores[[*KEY, "household_probability"]], on=KEY, how="left")
    suspicion = 1.0 - probability["household_probability"].fillna(1.0).to_numpy(dtype=float)
    refs = references(world) if known is None else known
    out: dict[str, object] = {"model": _recalls(labels, suspicion), "references": refs}
    for rate in RATES:
        name = f"recall_at_{rate:g}"
        plain, oracle, model = refs["plain"], refs["oracle"], out["model"]
        assert isinstance(plain, dict)
        assert isinstance(oracle, dict)
        assert isinstance(model, dict)
        out[f"covered_at_{rate:g}"] = round(covered(model[name], plain[name], oracle[name]), 4)
    out["slices"] = by_situation(labels, suspicion)
    return out


def _known(cache: Path | None, kind: str, folder: Path) -> dict[str, object] | None:
    """References of a written world, if they were made by this code from the same files."""
    if cache is None or not (cache / "references.json").exists():
        return None
    stored = json.loads((cache / "references.json").read_text("utf-8")).get(kind)
    if stored is None or stored.get("code") != _digest():
        return None
    if stored["sessions"] != len(pd.read_parquet(folder / "truth.parquet", columns=["at_home"])):
        return None
    found: dict[str, object] = stored
    return found


def _remember(cache: Path | None, kind: str, found: dict[str, object]) -> None:
    if cache is None:
        return
    path = cache / "references.json"
    stored = json.loads(path.read_text("utf-8")) if path.exists() else {}
    stored[kind] = {"code": _digest(), **found}
    cache.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(stored, indent=1, sort_keys=True) + "\n", "utf-8")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("what", choices=("make", "plain", "line", "oracle", "refs", "judge"))
    parser.add_argument("--kind", choices=tuple(KINDS), action="append")
    parser.add_argument("--accounts", type=int, default=2000)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--seed", type=int, default=101)
    parser.add_argument("--out", type=Path, help="make: folder for <kind>/*.parquet")
    parser.add_argument("--data", type=Path, help="refs: <out> of make; judge: <out>/<kind>")
    parser.add_argument("--cache", type=Path, help="folder where references are kept")
    parser.add_argument("--scores", type=Path, help="judge: Parquet with household_probability")
    parser.add_argument("--slices", action="store_true")
    given = parser.parse_args(arguments)
    if given.what == "judge":
        if given.data is None or given.scores is None:
            parser.error("judge needs --data and --scores")
        known = _known(given.cache, given.data.name, given.data)
        _say(json.dumps(judge(given.data, pd.read_parquet(given.scores), known), indent=1))
        return 0
    for kind in given.kind or list(KINDS):
        if given.what == "make":
            if given.out is None:
                parser.error("make needs --out")
            _write(make_world(kind, given.accounts, given.days, given.seed), given.out / kind)
            _say(f"{kind}: written to {given.out / kind}")
        elif given.what == "refs":
            if given.data is not None:
                found = references(load(given.data / kind), slices=given.slices)
                _remember(given.cache, kind, found)
            else:
                found = cached_references(
                    given.cache, kind, given.accounts, given.days, given.seed, slices=given.slices
                )
            _say(json.dumps({kind: found}, indent=1))
        else:
            world = make_world(kind, given.accounts, given.days, given.seed)
            _say(
                json.dumps({kind: references(world, (given.what,), slices=given.slices)}, indent=1)
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
