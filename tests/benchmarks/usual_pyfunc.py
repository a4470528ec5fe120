"""What a team would deploy without this project: pandas features, scikit-learn trees, a pyfunc.

The features are whole-column groupbys, as a competent data scientist writes them; MLflow stores
this file and runs it, with the fitted trees beside it.
"""

from __future__ import annotations

from typing import Any

import mlflow
import pandas as pd

DEVICE = ["account_id", "device_id"]


def features(sessions: pd.DataFrame) -> pd.DataFrame:
    """About thirty features per device, indexed by account and device."""
    frame = sessions[[*DEVICE, "started_at", "duration_s", "ip"]].copy()
    frame["at"] = pd.to_datetime(frame.pop("started_at"), utc=True, format="ISO8601")
    frame["network"] = frame["ip"].str.rsplit(".", n=1).str[0]
    frame["day"] = frame["at"].dt.floor("D")
    hour = frame["at"].dt.hour
    frame["evening"] = (hour >= 18) | (hour < 1)
    frame["night"] = hour < 6
    frame["weekend"] = frame["at"].dt.dayofweek >= 5
    last = frame["at"].max()
    homes = frame.groupby("account_id")["network"].agg(lambda each: each.mode().iloc[0])
    frame["at_home"] = frame["network"] == frame["account_id"].map(homes)
    users = frame.groupby(["account_id", "network"])["device_id"].nunique().rename("users")
    frame = frame.join(users, on=["account_id", "network"])
    frame["shared"] = frame["users"] > 1
    groups = frame.groupby(DEVICE)
    found = groups.agg(
        sessions=("at", "size"),
        days=("day", "nunique"),
        seconds=("duration_s", "sum"),
        mean_seconds=("duration_s", "mean"),
        longest=("duration_s", "max"),
        ips=("ip", "nunique"),
        networks=("network", "nunique"),
        first=("at", "min"),
        last=("at", "max"),
        evening=("evening", "mean"),
        night=("night", "mean"),
        weekend=("weekend", "mean"),
        home_share=("at_home", "mean"),
        home_sessions=("at_home", "sum"),
        shared_share=("shared", "mean"),
        mean_users=("users", "mean"),
        most_users=("users", "max"),
    )
    found["age_days"] = (last - found.pop("first")) / pd.Timedelta(days=1)
    found["quiet_days"] = (last - found.pop("last")) / pd.Timedelta(days=1)
    at_home = frame[frame["at_home"]]
    since = at_home.groupby(DEVICE)["at"].max()
    found["away_days"] = (last - since.reindex(found.index)) / pd.Timedelta(days=1)
    found["home_days"] = at_home.groupby(DEVICE)["day"].nunique().reindex(found.index).fillna(0)
    top = frame.groupby([*DEVICE, "network"]).size().groupby(DEVICE).max()
    found["top_share"] = top / found["sessions"]
    found["home_night"] = at_home.groupby(DEVICE)["night"].mean().reindex(found.index)
    account = found.groupby("account_id")
    for name in ("sessions", "days", "seconds", "networks"):
        found[f"account_{name}"] = account[name].transform("sum")
        found[f"{name}_share"] = found[name] / found[f"account_{name}"]
    found["devices"] = account["sessions"].transform("size")
    found["rank"] = account["sessions"].rank(ascending=False)
    return found.astype(float)


class UsualModel(mlflow.pyfunc.PythonModel):
    """Sessions in, one probability per device out."""

    def load_context(self, context: Any) -> None:
        import joblib

        self.trees = joblib.load(context.artifacts["trees"])

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        found = features(model_input)
        found["household_probability"] = self.trees.predict_proba(found)[:, 1]
        return found[["household_probability"]].reset_index()


mlflow.models.set_model(UsualModel())
