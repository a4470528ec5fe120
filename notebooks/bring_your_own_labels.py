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
# # Bring your own labels
#
# Some of your devices are known: people answered a question, entered a code at home, opened a
# ticket. Such labels are few, some are wrong, and whom you asked was not chosen by chance.
#
# **The question: what do a few hundred labelled accounts of your own improve, what becomes of every
# label, and what if they are drawn unfairly?**
#
# "Your own" service is simulated here: homes on phone networks in another country, with other
# seeds than any training. Put your own three files in its place.

# %%
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from IPython.display import display
from sklearn.metrics import log_loss

from household_ml import HouseholdScorer
from household_ml.errors import LabelsError
from household_ml.modeling.adaptation import AdaptationConfig
from household_ml.modeling.classifier import ClassifierConfig
from household_ml.modeling.labels import align_labels
from household_ml.serving.adapting import devices_to_learn_from, learn_from_labels
from household_ml.serving.datasets import LabelledSessions, labelled_devices, read_labelled
from household_ml.serving.learning import evaluate_model
from household_ml.simulation import biased_labels, simulate

folder = Path(tempfile.mkdtemp(prefix="own-labels-"))
service = simulate("mobile_first", accounts=300, days=45, seed=88_002)
scorer = HouseholdScorer.load()

# %% [markdown]
# ## 1. Three columns are enough
#
# A folder with `sessions` and `labels` (Parquet or CSV): `account_id`, `device_id`, `in_household`.
# Yes and no may be written as a spreadsheet writes them.

# %%
labels = service.labels.to_pandas()
accounts = np.sort(labels.account_id.unique())
asked = np.random.default_rng(1).permutation(accounts)
mine, kept_aside = asked[: len(asked) // 2], asked[len(asked) // 2 :]
own = labels[labels.account_id.isin(mine)]
own = own[["account_id", "device_id", "in_household"]].assign(
    in_household=own.in_household.map({True: "yes", False: "no"})
)
service.sessions.to_pandas().to_parquet(folder / "sessions.parquet")
own.to_csv(folder / "labels.csv", index=False)
data = read_labelled(folder)
display(data.labels.head(3))

devices = labelled_devices(data)
print(devices.labels.to_text())

assert np.isfinite(devices.labels.y).sum() == len(own), "every label found its device"
assert set(kept_aside).isdisjoint(data.labels.account_id)

# %% [markdown]
# ## 2. What goes wrong first, and what it says
#
# Labels whose ids are not those of the sessions, answers that contradict, words that are no answer:
# all that is wrong with a table is told at once.

# %%
wrong = [
    ("ids of another system", data.labels.assign(account_id="crm-" + data.labels.account_id)),
    ("a column with another name", data.labels.rename(columns={"in_household": "household"})),
    ("an answer that is none", data.labels.assign(in_household="maybe")),
    (
        "the same device, twice, both ways",
        pd.concat([data.labels.assign(in_household=True), data.labels.assign(in_household=False)]),
    ),
]
refusals = []
for told, table in wrong:
    try:
        align_labels(devices.features, table)
    except LabelsError as error:
        print(f"{told}:\n    {error.problems[0]}")
        refusals.append(error)

assert len(refusals) == len(wrong), "each of them is refused"
assert {refusal.code for refusal in refusals} == {"labels"}
assert all(problem.remedy for refusal in refusals for problem in refusal.problems)

# %% [markdown]
# ## 3. Learn from them
#
# Training starts from the model that ships and takes of the new labels what they improve surely,
# out of fold; a few labels then do no harm. (`household-ml train --data FOLDER --out MODEL` does
# this; the trees here are small so that the notebook is quick.)

# %%
QUICK = AdaptationConfig(
    classifier=ClassifierConfig(trees=40, leaves=6, learning_rate=0.15),
    weights=(0.25, 0.5),
    folds=3,
    replicates=20,
)


def learnt_from(labelled: LabelledSessions, name: str):
    """A model that started from the one that ships."""
    dataset, statistics, _ = devices_to_learn_from(scorer.model, [labelled])
    return learn_from_labels(
        scorer.model, dataset, folder / name, statistics=statistics, seed=0, config=QUICK
    )


adapted = learnt_from(data, "adapted")
print(adapted)

aside = replace(data, labels=labels[labels.account_id.isin(kept_aside)])
measured = {
    "as it ships": evaluate_model(scorer.model, aside, replicates=40),
    "with own labels": evaluate_model(adapted, aside, replicates=40),
}
shown = ["pr_auc", "recall_at_0.01", "log_loss", "ece", "called_recall", "called_false_flags"]
display(
    pd.DataFrame(
        {
            name: {metric: str(each.evaluation.metrics[metric]) for metric in shown}
            for name, each in measured.items()
        }
    )
)

before, after = (each.evaluation.metrics for each in measured.values())
assert after["log_loss"].value < before["log_loss"].value + 0.02, "labels do no harm"
assert after["pr_auc"].value > before["pr_auc"].value - 0.05
assert adapted.digest != scorer.model.digest

# %% [markdown]
# Measured on accounts of the service that no label came from. The thresholds were chosen anew on
# the labelled accounts, and there may be none: a few hundred accounts certify no strict bound.

# %%
thresholds = adapted.thresholds
for reason in thresholds.why_none():
    print(reason)
for bound in thresholds.bounds:
    print(f"{bound.name}: {bound.errors} of {bound.units}, asked for at most {bound.rate:.1%}")

assert thresholds.outside_at is None or all(
    bound.upper is None or bound.upper <= bound.rate for bound in thresholds.bounds
)

# %% [markdown]
# ## 4. Labels that are drawn unfairly
#
# Devices that somebody complained about are looked at more often than others, and of the labels a
# few are wrong. What is learnt about the *level* then comes from all devices, labelled or not.

# %%
some = labels[labels.account_id.isin(mine)]
drawn = biased_labels(pa.Table.from_pandas(some, preserve_index=False), share=0.4, seed=2)
unfair = replace(data, labels=drawn.select(["account_id", "device_id", "in_household"]).to_pandas())
biased = learnt_from(unfair, "biased")

truth = labelled_devices(aside)
clear = np.isfinite(truth.learnt.y) & ~truth.learnt.ambiguous
values = truth.features.values
y = truth.learnt.y[clear]
told = {}
for name, model in {
    "as it ships": scorer.model, "fair labels": adapted, "unfair labels": biased
}.items():  # fmt: skip
    probability = model.probability(values[:, model.columns(truth.features.names)])[clear]
    told[name] = {"mean probability": probability.mean(), "log loss": log_loss(y, probability)}
told["the truth"] = {"mean probability": y.mean(), "log loss": np.nan}
share = unfair.labels.in_household.astype(bool).mean()
print(f"share of household among the unfair labels {share:.1%}, among all devices {y.mean():.1%}")
display(pd.DataFrame(told).T.round(3))

assert share < y.mean() - 0.05, "the labels lie about the level"
assert told["unfair labels"]["mean probability"] > share, "and the model does not believe them"
assert told["unfair labels"]["log loss"] < told["as it ships"]["log loss"] + 0.05

# %% [markdown]
# ## The answer
#
# **A few hundred accounts of your own improve what is said where your people differ from those the
# model learnt from, and do no harm where they do not.** Every label is accounted for; those that
# cannot be used are refused with what to do. What so few cannot give is a strict bound on false
# flags: for 1 % of honest accounts at 95 % confidence it takes 299 of them with not one error.
#
# Ask at random if you can: labels that are drawn unfairly bend the level, which is then taken from
# all devices, but no method gives back the people that were never asked.
