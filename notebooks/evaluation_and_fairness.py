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
# # Good on average, and for whom not?
#
# One number for a model hides who pays for it. A household on a phone network, or one that moved,
# may be flagged many times as often as the mean.
#
# **The question: how good is the model that ships on worlds that it has not seen, beside the rules
# that a service would write, and which residents does it wrong more than others?**
#
# The two worlds are simulated with seeds that no training used. They come from a simulator whose
# other worlds the model learnt from, so absolute numbers flatter it: read them beside the rules.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import display

from household_ml import HouseholdScorer, read_sessions
from household_ml.modeling.plots import (
    compute_false_flags,
    compute_ranking_curves,
    plot_false_flags,
    plot_precision_recall,
    plot_recall_at_false_flags,
)
from household_ml.schema import SITUATIONS
from household_ml.serving.datasets import LabelledSessions
from household_ml.serving.learning import evaluate_model
from household_ml.simulation import simulate

plt.rcParams["figure.dpi"] = 62

WORLDS = {"fr": "fixed lines, mostly", "mobile_first": "homes on phone networks"}
scorer = HouseholdScorer.load()


def measure(world: str):
    """The model and the rules on accounts of a world."""
    made = simulate(world, accounts=400, days=60, seed=77_001)
    data = LabelledSessions(
        world, read_sessions(made.sessions), made.labels.to_pandas(), simulated=True
    )
    return evaluate_model(scorer.model, data, replicates=100)


measured = {world: measure(world) for world in WORLDS}
print(scorer.model_label)
for world, told in WORLDS.items():
    counts = measured[world].evaluation.counts
    print(f"{told} ({world}): {counts['devices']} devices, {counts['outside']} of them outside")

assert all(each.evaluation.counts["outside"] > 50 for each in measured.values())

# %% [markdown]
# ## 1. Beside the rules
#
# PR-AUC of the class *outside*, and the share of it that is found while at most 1 % of household
# devices is flagged. 95 % intervals by bootstrap over accounts. A rule that has no operating point
# at 1 % finds nothing there: it flags too many at once, or nobody.

# %%
compared = {}
for world in WORLDS:
    for name, row in measured[world].comparison.rows.items():
        compared[world, name] = {
            "PR-AUC": str(row["pr_auc"]), "found at 1 %": str(row["recall_at_0.01"])
        }  # fmt: skip
display(pd.DataFrame(compared).T)

for each in measured.values():
    rows = each.comparison.rows
    ours = rows["this model"]["pr_auc"]
    assert all(
        ours.value > row["pr_auc"].value
        for name, row in rows.items()
        if name != "this model" and row["pr_auc"].value is not None
    ), "no rule ranks better"
    assert ours.low <= ours.value <= ours.high

# %%
figure, grid = plt.subplots(2, 2, figsize=(10.5, 8.2), layout="constrained")
for (world, told), (left, right) in zip(WORLDS.items(), grid, strict=True):
    each = measured[world]
    truth = each.devices.learnt
    curves = compute_ranking_curves(each.scores, truth.y, ambiguous=truth.ambiguous)
    plot_precision_recall(curves, each.comparison.prevalence, left)
    plot_recall_at_false_flags(curves, right)
    left.set_title(f"{told}: finding devices outside")
    right.set_title(f"{told}: at the price of false flags")
    right.get_legend().remove()
plt.show()

# %% [markdown]
# ## 2. By situation: who pays?
#
# At the one threshold where 1 % of all household devices is flagged, how many of each kind of
# resident are? Students, shared custody and second homes (grey) are left open by the policies
# themselves: they are shown, and counted in no headline.

# %%
figure, grid = plt.subplots(1, 2, figsize=(12.5, 5.2), layout="constrained")
for (world, told), axes in zip(WORLDS.items(), grid, strict=True):
    plot_false_flags(compute_false_flags(measured[world].evaluation), ax=axes)
    axes.set_title(f"False flags, {told}")
plt.show()

for each in measured.values():
    flags = compute_false_flags(each.evaluation)
    settled = flags[~flags.ambiguous]
    whole = (settled.rate * settled.households).sum() / settled.households.sum()
    assert whole <= 0.0101, "the parts add up to no more than the bound on the whole"
    assert (flags.low <= flags.rate + 1e-12).all()
    assert (flags.rate <= flags.high + 1e-12).all()

# %%
for world, told in WORLDS.items():
    unfair = measured[world].evaluation.unfair()
    print(f"{told}: flagged or left open over 1.5 times as often as the whole")
    people = [part for part in unfair if part.households]
    for part in sorted(people, key=lambda part: -(part.ratio.value or 0.0)):
        print(f"    {part.value}: {part.ratio} times, {part.households} household devices")

assert all(
    (part.ratio.value or 0) > 1.5 or (part.undetermined_ratio or 0) > 1.5
    for each in measured.values()
    for part in each.evaluation.unfair()
)

# %% [markdown]
# Mind the intervals: in a few hundred accounts a situation has a handful of devices, and a ratio
# of 3 may be chance. The card of the model that ships has the same table from many more accounts.
#
# ## 3. What is found, by situation

# %%
found = pd.DataFrame(
    {
        told: {
            part.value: f"{part.recall} of {part.outside}"
            for part in measured[world].evaluation.slices_of("situation")
            if part.outside >= 5 and not part.ambiguous
        }
        for world, told in WORLDS.items()
    }
).fillna("")
display(found.sort_index())

assert set(found.index) <= set(SITUATIONS)

# %% [markdown]
# ## 4. Is what it says true for every kind of device?
#
# Among the phones that are said to be 80 % likely of the household, 80 % should be; and among the
# televisions too. A gap is a promise that is not kept for these devices, whatever the threshold.

# %%
KIND = {
    "is_fixed": "television, box or console", "is_stick": "streaming stick", "is_phone": "phone",
    "is_tablet": "tablet", "is_computer": "computer",
}  # fmt: skip
promises = []
for world in WORLDS:
    devices = measured[world].devices
    truth = devices.learnt
    said = -measured[world].scores["this model"]
    for name, kind in KIND.items():
        chosen = (devices.features.column(name) == 1) & np.isfinite(truth.y) & ~truth.ambiguous
        by_account = pd.Series(said[chosen] - truth.y[chosen]).groupby(truth.account[chosen]).mean()
        promises.append(
            {
                "world": world, "kind": kind, "devices": chosen.sum(),
                "said": said[chosen].mean(), "true": truth.y[chosen].mean(),
                "gap": said[chosen].mean() - truth.y[chosen].mean(),
                "error of the gap": by_account.std() / np.sqrt(len(by_account)),
            }
        )  # fmt: skip
gaps = pd.DataFrame(promises)
display(gaps.round(3))

assert gaps.gap.abs().max() < 0.25, "no kind of device is told another story altogether"
assert gaps.said.between(0, 1).all()

# %% [markdown]
# ## The answer
#
# **On unseen worlds the model ranks above every rule**, which at 1 % false flags find next to
# nothing: they flag many residents at once, or nobody. **But the mean hides people.** Where homes
# are on phone networks it knows far less than on fixed lines, and there are residents, named above,
# who are flagged more often than others at the same threshold.
#
# So: publish the table by situation, not the mean; choose thresholds on labels of your own; and
# let people contest an answer, first of all those in the longest bars.
