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
# # What does each feature say?
#
# A probability is only as good as what it is made of. Each device is described by some eighty
# numbers: how often it is at home, with whom, when, where else.
#
# **The question: which of these numbers separate residents from borrowers, which of them does the
# model use, and does it use them in the direction that makes sense?**
#
# The accounts are simulated (seeded, 300 of them), so that every device has a known truth.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import display
from sklearn.metrics import roc_auc_score

from household_ml import HouseholdScorer, build_features, read_sessions
from household_ml.features import FEATURES, GROUPS
from household_ml.modeling.effects import (
    compute_feature_effects,
    plot_feature_effect,
    rank_features,
)
from household_ml.modeling.labels import align_labels
from household_ml.simulation import simulate

plt.rcParams["figure.dpi"] = 72

world = simulate("fr", accounts=300, days=60, seed=21)
sessions = read_sessions(world.sessions)
features = build_features(sessions)
labels = align_labels(features, world.labels.to_pandas())
print(sessions)
print(features)
print(labels.to_text())

assert len(features) == sessions.n_devices, "one row a device"

# %% [markdown]
# ## 1. The catalogue
#
# Every feature has a unit, a range, a meaning, and a direction: `+1` may only speak for the
# household, `-1` only against, `0` is context. The directions are constraints of the trees.

# %%
catalogue = pd.DataFrame(
    [
        {
            "feature": each.name,
            "group": each.group,
            "unit": each.unit,
            "direction": each.monotone,
            "meaning": each.meaning,
        }
        for each in FEATURES
    ]
)
display(catalogue.groupby("group", sort=False).size().to_frame("features").T)
with pd.option_context("display.max_colwidth", 70):
    display(catalogue.groupby("group", sort=False).head(1).set_index("feature"))

assert set(catalogue.group) <= set(GROUPS)
assert catalogue.feature.is_unique

# %% [markdown]
# Every value lies in its range, or is null where the history does not tell. A null is not a zero:
# a phone that was never at home has been away "never", not "0 days".

# %%
table = features.to_frame()
for each in FEATURES:
    known = table[each.name].dropna()
    assert known.between(each.low - 1e-9, each.high + 1e-9).all(), each.name
nulls = table[[each.name for each in FEATURES]].isna().mean()
display(nulls[nulls > 0.2].sort_values(ascending=False).head(6).to_frame("null").round(2))

# %% [markdown]
# ## 2. One by one: how well does a single number tell?
#
# The area under the ROC of each feature alone, turned in its direction: 0.5 is a coin. Devices on
# which the policy itself is open are left out.

# %%
clear = np.isfinite(labels.y) & ~labels.ambiguous
alone = {}
for each in FEATURES:
    value = table[each.name].to_numpy()
    told = clear & np.isfinite(value)
    if told.sum() > 100 and 5 < labels.y[told].sum() < told.sum() - 5:
        alone[each.name] = roc_auc_score(labels.y[told], value[told])
separates = pd.Series(alone, name="auc").rename_axis("feature").reset_index()
separates = separates.merge(catalogue, on="feature")
separates["strength"] = (separates.auc - 0.5).abs()
best = separates.nlargest(10, "strength")
with pd.option_context("display.max_colwidth", 60):
    display(best[["feature", "group", "direction", "auc", "meaning"]].round(2))

directed = separates[separates.direction != 0]
agrees = np.sign(directed.auc - 0.5) == directed.direction
print(f"{agrees.mean():.0%} of the directed features separate in the direction they may act in")

assert separates.strength.max() > 0.25, "single numbers tell much"
assert agrees.mean() > 0.8
assert (directed.auc[~agrees] - 0.5).abs().max() < 0.2 or agrees.all(), "the others tell little"

# %% [markdown]
# ## 3. Together: what moves the model's answers?
#
# The log-odds of a device are an exact sum of what its features add, at the inferred home and, in
# doubt, at the other place that may be it. The mean size of each addition ranks them.

# %%
scorer = HouseholdScorer.load()
model = scorer.model
values = features.values[:, model.columns(features.names)]
ranked = rank_features(model, values)
effects = compute_feature_effects(model, values, most=6)
probability = model.probability(values)
print(f"ranking by {model.label}: AUC {roc_auc_score(labels.y[clear], probability[clear]):.3f}")
display(ranked.head(10).to_frame().round(3))

added = model.trees.base + model.contributions(values).sum(axis=1)
np.testing.assert_allclose(added, model.log_odds(values), atol=1e-9)
assert roc_auc_score(labels.y[clear], probability[clear]) > separates.auc.max() - 0.02, (
    "together they rank no worse than the best of them alone"
)

# %%
names = list(dict.fromkeys(effects.feature))
figure, grid = plt.subplots(2, 3, figsize=(9.5, 5.4), layout="constrained")
for name, axes in zip(names, grid.flat, strict=True):
    plot_feature_effect(effects, name, axes)
figure.suptitle("What a value adds to the log-odds: median, and 5 to 95 % of the devices")
plt.show()

# %% [markdown]
# ## 4. More evidence of home never lowers the answer
#
# Take every device, push one directed feature up at a time, and watch the probability. This is a
# law of the product (monotone constraints), not a tendency of the data.

# %%
generator = np.random.default_rng(3)
chosen = generator.choice(len(values), size=min(300, len(values)), replace=False)
direction = {each.name: each.monotone for each in FEATURES}
reach = {each.name: (each.low, each.high) for each in FEATURES}
width = model.trees.features
worst = 0.0
for column, name in enumerate(model.feature_names[:width]):
    if direction[name] == 0:
        continue
    known = chosen[np.isfinite(values[chosen, column])]
    before, after = values[known, :width].copy(), values[known, :width].copy()
    low, high = reach[name]
    after[:, column] = np.clip(after[:, column] + 0.1 * (high - low), low, high)
    step = direction[name] * (model.trees.log_odds(after) - model.trees.log_odds(before))
    worst = min(worst, step.min(initial=0.0))
print(f"largest step against the stated direction: {worst:.1e}")

assert worst > -1e-9

# %% [markdown]
# ## 5. The same device, a resident's and a borrower's

# %%
shown = ["home_share", "agreement_7d", "second_share", "days_since_home", "together_devices"]
groups = table.assign(lives_here=np.where(labels.y == 1, "yes", "no"))[clear]
medians = groups.groupby("lives_here")[shown].median().T
display(medians.round(2))

assert medians.loc["home_share", "yes"] > medians.loc["home_share", "no"]
assert medians.loc["days_since_home", "yes"] < medians.loc["days_since_home", "no"]

# %% [markdown]
# ## The answer
#
# **Presence at home, company, and a second place separate most**, each alone already far better
# than a coin; counts and kinds of devices are context. The model leans on the same families, and
# its directions hold for every device by construction: being seen at home more can never make
# anybody look less at home.
#
# What a feature *adds* is what the model does with it, not what causes what: a feature whose
# neighbours say the same may add little and still be true.
