# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # From a trained model to every night's scores
#
# A model in a folder is not yet in use. Somebody registers it, a newer one challenges it, a job
# scores all accounts every night, and one day somebody asks which model gave that answer.
#
# **The question: does the same history get the same answer on every way through registry and batch,
# and can a worse model slip in?**
#
# The accounts are simulated, the models small and quick. The registry is MLflow's, in a folder of
# its own that is thrown away. (Needs the extra `mlflow`.)

# %%
import logging
import os
import tempfile
import warnings
from pathlib import Path

folder = Path(tempfile.mkdtemp(prefix="registry-"))
os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder / 'mlflow.db'}"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
warnings.filterwarnings("ignore", module="mlflow")
warnings.filterwarnings("ignore", message="IProgress not found")

import mlflow
import numpy as np
import pyarrow.parquet as pq
from IPython.display import display

from household_ml import HouseholdScorer, NetworkStatistics, read_sessions
from household_ml.modeling.classifier import ClassifierConfig
from household_ml.modeling.thresholds import ThresholdConfig
from household_ml.modeling.training import TrainingConfig
from household_ml.networks import enrich
from household_ml.serving.batch import read_scores, score_files
from household_ml.serving.datasets import LabelledSessions
from household_ml.serving.learning import train_model
from household_ml.serving.promotion import promote
from household_ml.serving.registry import register
from household_ml.simulation import simulate

for noisy in ("alembic", "mlflow"):
    logging.getLogger(noisy).setLevel(logging.ERROR)
os.chdir(folder)  # MLflow keeps artifacts beside where it is called from


def labelled(world: str, accounts: int, seed: int) -> LabelledSessions:
    """A simulated world as something to learn from."""
    made = simulate(world, accounts=accounts, days=45, seed=seed)
    return LabelledSessions(
        world, read_sessions(made.sessions), made.labels.to_pandas(), simulated=True
    )


# %% [markdown]
# ## 1. Train and register
#
# The first version of a name becomes `champion`. What is logged: parameters, metrics by slice,
# pictures, the digest of the data, the card, and the model as a pyfunc that unpickles nothing.

# %%
loose = ThresholdConfig(account_rate=0.2, device_rate=0.1, household_error=0.2)
quick = TrainingConfig(
    classifier=ClassifierConfig(trees=30, leaves=6, learning_rate=0.2),
    thresholds=loose,
    replicates=20,
)
first = train_model([labelled("fr", 160, 41)], folder / "first", version="1", config=quick)
champion = register(folder / "first", "household")
print(champion.uri, "is", first.label)

run = mlflow.get_run(champion.run_id)
print(f"{len(run.data.metrics)} metrics and {len(run.data.params)} parameters in its run")

assert champion.alias == "champion"
assert mlflow.MlflowClient().get_model_version_by_alias("household", "champion").tags

# %% [markdown]
# ## 2. Score a night's accounts
#
# The table of network statistics is part of an answer: with a snapshot of it the batch may be cut
# in pieces, and no account's answer depends on who is scored beside it.

# %%
night = simulate("fr", accounts=80, days=45, seed=42)
pq.write_table(night.sessions, folder / "sessions.parquet")
sessions = read_sessions(folder / "sessions.parquet")
statistics = enrich(sessions).statistics
statistics.save(folder / "networks.parquet")

scorer = HouseholdScorer.load(champion.uri)
summary = score_files(
    folder / "sessions.parquet",
    folder / "scores.parquet",
    scorer=scorer,
    networks=folder / "networks.parquet",
    chunk_sessions=2_000,
    quiet=True,
)
scores = read_scores(folder / "scores.parquet").to_pandas()
print(summary.devices, "devices:", dict(summary.verdicts), "by", summary.model)
display(scores.drop(columns=["account_id", "reasons", "model"]).head(4))

assert len(scores) == sessions.n_devices
assert set(scores.model) == {first.label}, "every answer names the model that gave it"
assert len(NetworkStatistics.load(folder / "networks.parquet")) == len(statistics)

# %% [markdown]
# ## 3. One history, one answer
#
# In pieces into a file, whole in memory, one account alone, and through MLflow's pyfunc: equal to
# 1e-9.

# %%
whole = scorer.score(sessions, networks=statistics)
alone = scorer.score(sessions.take_accounts(np.array([7])), networks=statistics,
                     as_of=sessions.last_started_at())  # fmt: skip
pyfunc = mlflow.pyfunc.load_model(champion.uri)
through = pyfunc.predict(
    night.sessions.to_pandas(), params={"networks": str(folder / "networks.parquet")}
)
ways = {"batch in pieces": scores, "one account alone": alone, "pyfunc": through}
for name, given in ways.items():
    both = whole.merge(given, on=["account_id", "device_id"], validate="one_to_one")
    far = (both.household_probability_x - both.household_probability_y).abs().max()
    print(f"{name}: {len(both)} devices, largest difference {far:.1e}")
    assert len(both) == len(given)
    assert far <= 1e-9
    assert (both.verdict_x == both.verdict_y).all()

# %% [markdown]
# ## 4. A challenger
#
# A later version is `challenger`. It is promoted only if it holds against the champion on accounts
# that neither has learnt from. This one is made worse on purpose: a third of its labels is turned
# around.

# %%
spoilt = labelled("fr", 160, 43)
turned = np.random.default_rng(0).random(len(spoilt.labels)) < 0.33
spoilt.labels["in_household"] = spoilt.labels.in_household ^ turned
train_model([spoilt], folder / "second", version="2", config=quick)
challenger = register(folder / "second", "household")
contest = promote("household", [labelled("fr", 150, 44)], replicates=30)
print(contest.to_text())

client = mlflow.MlflowClient()
still = client.get_model_version_by_alias("household", "champion")

assert challenger.alias == "challenger"
assert not contest.moved, "a model that learnt from wrong labels does not slip in"
assert int(still.version) == champion.version
assert "promotion.why" in client.get_model_version("household", str(challenger.version)).tags

# %% [markdown]
# ## The answer
#
# **The answer is one**, whichever way it is asked for, as long as the table of network statistics
# is the same; give the batch a snapshot and it is. **A worse model does not slip in**: the
# alias moves only when the challenger holds, and why it did not is written to its version.
#
# Which model gave an answer stands in each row, by name, version and digest. The same on the
# command line: `train --register`, `score --model models:/household@champion`, `promote`.
