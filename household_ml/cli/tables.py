"""Commands that turn sessions into a table: networks, features, places."""

from __future__ import annotations

import click

from household_ml.cli.options import (
    Command,
    as_of_option,
    check_rejected_folder,
    networks_option,
    out_option,
    read_input,
    session_options,
    tell_reading,
)
from household_ml.errors import FormatError

__all__ = ["features", "networks", "places"]


@click.command(
    cls=Command,
    examples=(
        "household-ml networks --sessions sessions.parquet --out networks.parquet",
        "household-ml score --sessions one.csv --networks networks.parquet --out scores.csv",
    ),
)
@session_options
@out_option("Parquet file to write.")
def networks(sessions: str, format_: str | None, rejected: str | None, out: str) -> None:
    """Count accounts and devices per network into a snapshot for score and serve."""
    from household_ml.networks import enrich
    from household_ml.serving.batch import check_output

    target = check_output(out)
    taken = read_input(sessions, format_, rejected)
    statistics = enrich(taken).statistics
    statistics.save(target)
    click.echo(f"{len(statistics):,} networks of {taken.n_accounts:,} accounts in {target}")


@click.command(
    cls=Command,
    examples=(
        "household-ml features --sessions sessions.parquet --as-of 2026-03-01 --out features.csv",
    ),
)
@session_options
@out_option(".parquet or .csv file to write.")
@as_of_option
@networks_option
def features(
    sessions: str,
    format_: str | None,
    rejected: str | None,
    out: str,
    as_of: str | None,
    networks: str | None,
) -> None:
    """Write the feature table: one row per device, one column per feature."""
    from household_ml.features import FEATURE_NAMES
    from household_ml.networks import NetworkStatistics
    from household_ml.scoring.scorer import read_moment
    from household_ml.serving.batch import check_output
    from household_ml.serving.feature_files import write_features

    target = check_output(out)
    check_rejected_folder(rejected)
    found = write_features(
        sessions,
        target,
        networks=None if networks is None else NetworkStatistics.load(networks),
        as_of=None if as_of is None else read_moment(as_of),
        format=format_,
        rejected=rejected,
        tell=lambda reading: tell_reading(reading, rejected),
    )
    click.echo(f"{found.devices:,} devices x {len(FEATURE_NAMES)} features in {target}")
    if found.damaged:
        raise FormatError(found.damaged)


@click.command(
    cls=Command,
    examples=("household-ml places --sessions sessions.parquet --out places.parquet",),
)
@session_options
@out_option(".parquet or .csv file to write.")
@as_of_option
@networks_option
def places(
    sessions: str,
    format_: str | None,
    rejected: str | None,
    out: str,
    as_of: str | None,
    networks: str | None,
) -> None:
    """Write the inferred places of each account; place 0 is its home."""
    import pyarrow as pa

    from household_ml.features import infer_places
    from household_ml.networks import NetworkStatistics
    from household_ml.scoring.scorer import read_moment
    from household_ml.serving.batch import check_output, write_table

    target = check_output(out)
    moment = None if as_of is None else read_moment(as_of)
    statistics = None if networks is None else NetworkStatistics.load(networks)
    taken = read_input(sessions, format_, rejected)
    found = infer_places(taken, statistics=statistics, as_of=moment)
    write_table(pa.Table.from_pandas(found, preserve_index=False), target)
    click.echo(f"{len(found):,} places of {found['account_id'].nunique():,} accounts in {target}")
