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
# # Your own Netflix export, and Netflix's own answer
#
# Anybody may ask Netflix for a copy of their data. In it stand the addresses that the devices
# streamed from, and in the table of devices a column `Part Of Netflix Household`: the service's own
# answer to the question of this project.
#
# **The question: what does the model say of the devices of one real kind of export, and where does
# it differ from the service's own answer?**
#
# **The export below is made up** from one simulated account, in the tables and columns of a true
# one; no person is in it, and its column `Part Of Netflix Household` is the plain rule "seen on the
# network of the main television within 31 days", not Netflix's. To look at your own, set
# `NETFLIX_EXPORT` to the folder or zip and run this again: nothing leaves your machine.

# %%
import os
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import SVG, display

from household_ml import HouseholdScorer, infer_places, read_sessions
from household_ml.networks import operator_name
from household_ml.scoring.reasons import sentence
from household_ml.serving.places_graph import compute_places_graph, plot_places_graph
from household_ml.serving.timeline import compute_timeline, plot_timeline
from household_ml.simulation import simulate

plt.rcParams["figure.dpi"] = 72

OWN = os.environ.get("NETFLIX_EXPORT")

# %% [markdown]
# ## 1. The tables of an export


# %%
def make_up_export(folder: Path) -> pd.DataFrame:
    """Write the tables of an export from a simulated account; gives its true labels."""
    world = simulate("us", accounts=60, days=90, seed=303)
    sessions, labels = world.sessions.to_pandas(), world.labels.to_pandas()
    devices = labels.groupby("account_id").agg(
        inside=("in_household", "sum"), devices=("in_household", "size")
    )
    outside = devices.devices - devices.inside
    mixed = devices[outside.between(2, 3) & (devices.inside > outside + 2)]
    account = (sessions.account_id[sessions.account_id.isin(mixed.index)]).value_counts().index[0]
    rows = sessions[sessions.account_id == account].sort_values("started_at")
    kinds = {
        "tv": "Smart TV", "set_top_box": "Set Top Box", "streaming_stick": "Streaming Stick",
        "game_console": "Game Console", "phone": "Android Phone", "tablet": "iPad",
        "computer": "Chrome PC (Cadmium)", "other": "Other",
    }  # fmt: skip
    number = {device: place for place, device in enumerate(rows.device_id.unique(), 1)}
    esn = rows.device_id.map(lambda device: f"MADEUP-{number[device]:02d}")
    kind = rows.groupby("device_id").device_type.first()
    told = rows.device_id.map(kind).map(kinds).fillna("Other")
    streaming = pd.DataFrame(
        {
            "Esn": esn, "Localized Device Description": told, "Device Description": told,
            "Ip": rows.ip, "Country": rows.country, "Region Code Display Name": "",
            "Near Location": "", "Ts": rows.started_at.dt.strftime("%Y-%m-%d %H:%M:%S"),
        }
    )  # fmt: skip
    seconds = pd.to_timedelta(rows.duration_s.fillna(0).round(), unit="s")
    viewing = pd.DataFrame(
        {
            "Profile Name": "Profile " + rows.profile_id.rank(method="dense").map("{:.0f}".format),
            "Start Time": streaming.Ts, "Duration": seconds.astype(str).str.split().str[-1],
            "Attributes": "", "Title": "A title", "Supplemental Video Type": "",
            "Device Type": told, "Bookmark": "", "Latest Bookmark": "", "Country": rows.country,
        }
    )  # fmt: skip
    by_device = streaming.assign(network=rows.ip.str.rsplit(".", n=1).str[0], at=rows.started_at)
    television = by_device[told == "Smart TV"].Esn.mode()
    main = television.iloc[0] if len(television) else by_device.Esn.mode().iloc[0]
    at_home = by_device[by_device.network.isin(by_device[by_device.Esn == main].network)]
    last = at_home.groupby("Esn")["at"].max()
    recent = by_device["at"].max() - last.reindex(by_device.Esn.unique()) <= pd.Timedelta(days=31)
    first = streaming.drop_duplicates("Esn", keep="last")
    access = pd.DataFrame(
        {
            "Devices": first["Device Description"], "Date": first.Ts, "Esn": first.Esn,
            "Part Of Netflix Household": first.Esn.map(recent).map({True: "Yes", False: "No"}),
        }
    )  # fmt: skip
    for path, table in {
        "IP_ADDRESSES/IpAddressesStreaming.csv": streaming[::-1],
        "CONTENT_INTERACTION/ViewingActivity.csv": viewing[::-1],
        "ACCOUNT/AccessAndDevices.csv": access,
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(folder / path, index=False)
    own = labels[labels.account_id == account]
    return own.assign(device_id=own.device_id.map(lambda device: f"MADEUP-{number[device]:02d}"))


if OWN:
    export, truth = Path(OWN), None
else:
    export = Path(tempfile.mkdtemp(prefix="netflix-")) / "netflix-report"
    truth = make_up_export(export)
for path in sorted(export.rglob("*.csv")) if export.is_dir() else []:
    print(f"{path.relative_to(export)}: {len(path.read_text('utf-8').splitlines()) - 1} rows")

# %% [markdown]
# ## 2. Read it as it comes
#
# The format is recognised by content. Streaming addresses become sessions; durations and profiles
# come from the viewing activity where only one device can be meant; titles are never read.

# %%
sessions = read_sessions(export)
reading = sessions.reading
print(sessions)
print(reading)
for note in reading.notes:
    print(f"  {note}")

assert reading.format == "netflix-export"
assert reading.rows_in == reading.rows_used + reading.rejected.num_rows, "no row is lost"
assert sessions.n_accounts == 1

# %%
places = infer_places(sessions)
shown = places.head(5).copy()
shown["operator"] = ["" if pd.isna(asn) else operator_name(int(asn)) for asn in shown.asn]
columns = ["place", "claim", "devices", "sessions", "nights", "networks", "operator"]
display(shown[columns].round(2))

scorer = HouseholdScorer.load()
table = scorer.score_table(sessions)
timeline = compute_timeline(sessions, 0, table)
display(SVG(plot_timeline(timeline)))

assert places.place.iloc[0] == 0

# %%
graph = compute_places_graph(sessions, 0)
height = 0.7 + 0.42 * max(len(graph.devices), 5)
figure, axes = plt.subplots(figsize=(8.5, height), layout="constrained")
plot_places_graph(graph, axes)
plt.show()

# %% [markdown]
# ## 3. Two answers for each device

# %%
scores = table.to_pandas().sort_values("household_probability", ascending=False)
if reading.labels is not None:
    theirs = dict(zip(reading.labels.device_id, reading.labels.in_household, strict=True))
else:
    theirs = {}
compared = scores[["device_id", "household_probability", "verdict", "place"]].copy()
compared["Part Of Netflix Household"] = compared.device_id.map(
    lambda device: {True: "Yes", False: "No"}.get(theirs.get(device), "-")
)
if truth is not None:
    lives = dict(zip(truth.device_id, truth.in_household, strict=True))
    words = {True: "Yes", False: "No"}
    compared["lives here (simulated)"] = compared.device_id.map(lives).map(words)
compared["first reason"] = [sentence(codes[0]) if len(codes) else "" for codes in scores.reasons]
with pd.option_context("display.max_colwidth", 90):
    display(compared.round(3).reset_index(drop=True))

assert compared.device_id.is_unique
assert set(theirs) <= set(compared.device_id) | set(theirs), "devices without a session have no row"
assert all(len(codes) for codes in scores.reasons), "no answer without a reason"

# %% [markdown]
# Where do they differ? Mind what is compared: `undetermined` is an answer, not a disagreement.

# %%
ours = compared.verdict.map({"household": "Yes", "outside": "No", "extra_member": "No"})
both = ours.notna() & compared["Part Of Netflix Household"].isin(["Yes", "No"])
differ = both & (ours != compared["Part Of Netflix Household"])
print(
    f"{both.sum()} of {len(compared)} devices have both answers; they differ on {differ.sum()}; "
    f"{(compared.verdict == 'undetermined').sum()} are left undetermined"
)
for row in compared[differ].itertuples():
    codes = scores.loc[row.Index].reasons
    print(f"\n{row.device_id}: {row.verdict}, {row.household_probability:.2f}")
    for code in codes:
        print(f"    {sentence(code)} | {sentence(code, 'fr')}")

assert differ.sum() <= both.sum() <= len(compared)

# %%
if truth is not None:
    known = compared["lives here (simulated)"]
    theirs_told = compared["Part Of Netflix Household"]
    wrong = {
        "the model": int((both & (ours != known)).sum()),
        "the rule of 31 days": int((both & (theirs_told != known)).sum()),
    }
    print(f"on the {both.sum()} devices with both answers, wrong: {wrong}")
    order = compared.household_probability
    residents, others = order[known == "Yes"], order[known == "No"]
    assert residents.mean() > others.mean(), "those who live here come first"

# %% [markdown]
# ## The answer
#
# An export is read as it comes, and each device gets a probability, an answer or an honest
# `undetermined`, and reasons in words, beside the service's own yes or no. Where the two differ,
# the reasons say what the model saw, and a person can judge who is right.
#
# **One account proves nothing about quality**, made up or real: Netflix keeps these addresses for a
# few months only, its own column is a rule and no truth, and when all devices say *No* no household
# was set at all. On the command line: `household-ml score --sessions netflix-report.zip --out
# scores.csv`.
