"""Commands that answer: score and serve."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import click

from household_ml.cli.audit import audit_option, named_audit, open_audit
from household_ml.cli.options import (
    Command,
    as_of_option,
    check_rejected_folder,
    keys_option,
    model_option,
    networks_option,
    out_option,
    session_options,
    tell_reading,
)
from household_ml.errors import FormatError, ParameterError, Problem

if TYPE_CHECKING:
    from pathlib import Path

    from household_ml.serving.batch import BatchSummary
    from household_ml.sessions import Reading
    from household_ml.sessions.reading import RowCounts

__all__ = ["score", "serve"]

#: Devices that are listed on standard output; more are only counted.
_LISTED = 20


@click.command(
    cls=Command,
    examples=(
        "household-ml score --sessions sessions.parquet --out scores.parquet",
        "household-ml score --sessions netflix-report.zip --out scores.csv",
        "household-ml score --sessions 'logs/*.parquet' --accounts accounts.csv \\",
        "    --model models:/household@champion --as-of 2026-03-01 --out scores.parquet",
        "household-ml score --sessions sessions.parquet --previous monday.parquet \\",
        "    --out tuesday.parquet",
        "household-ml score --sessions sessions.parquet --out scores.parquet \\",
        "    --audit audit.db --keys household.keys",
    ),
)
@session_options
@click.option("--accounts", metavar="PATH", help="Accounts table, for extra-member slots.")
@model_option
@networks_option
@as_of_option
@click.option(
    "--previous",
    metavar="PATH",
    help="Scores before, from which verdicts carry on: one changes only when that lasts.",
)
@click.option(
    "--engine",
    type=click.Choice(["local", "spark"]),
    default="local",
    show_default=True,
    help="What computes: this process, or Spark.",
)
@out_option(".parquet or .csv file to write; a folder of Parquet files with --engine spark.")
@audit_option
@keys_option
def score(
    sessions: str,
    format_: str | None,
    rejected: str | None,
    accounts: str | None,
    model: str | None,
    networks: str | None,
    as_of: str | None,
    previous: str | None,
    engine: str,
    out: str,
    audit_path: str | None,
    key_file: str | None,
) -> None:
    """Score every device that has a session in the window.

    With an audit record and keys, what is answered is also recorded there, under pseudonyms and
    before it is given, so that household-ml explain can give it again.
    """
    from household_ml.scoring.scorer import HouseholdScorer, read_moment
    from household_ml.serving.batch import check_output, score_files

    moment = None if as_of is None else read_moment(as_of)
    if engine == "spark":
        _check_spark_options(format_, rejected, named_audit(audit_path))
        _score_with_spark(sessions, accounts, model, networks, moment, previous, out)
        return
    target = check_output(out)
    check_rejected_folder(rejected)
    scorer = HouseholdScorer.load(model)
    with open_audit(audit_path, key_file, source="batch") as recording:
        summary = score_files(
            sessions,
            target,
            scorer=recording(scorer),
            accounts=accounts,
            networks=networks,
            as_of=moment,
            previous=previous,
            format=format_,
            rejected=rejected,
            tell=lambda reading: tell_reading(reading, rejected),
        )
    if summary.devices <= _LISTED:
        _list_devices(target, summary.reading)
    _tell(summary, target)
    recorded = named_audit(audit_path)
    if recorded is not None:
        click.echo(f"recorded in {recorded}; household-ml audit list tells an account's records")
    if summary.damaged:
        raise FormatError(summary.damaged)


def _tell(summary: BatchSummary, target: Path) -> None:
    verdicts = ", ".join(f"{count:,} {name}" for name, count in summary.verdicts.items())
    click.echo(
        f"{summary.devices:,} devices of {summary.accounts:,} accounts: {verdicts}\n"
        f"scores in {target}, by {summary.model}"
    )


def _list_devices(target: Path, reading: Reading | RowCounts) -> None:
    """List the devices, beside the answer of the service the export is from where there is one."""
    from household_ml.scoring.reasons import sentence
    from household_ml.serving.batch import read_scores
    from household_ml.sessions import Reading

    theirs: dict[tuple[str, str], str] = {}
    labels = reading.labels if isinstance(reading, Reading) else None
    if labels is not None:
        theirs = {
            (str(account), str(device)): "yes" if inside else "no"
            for account, device, inside in zip(
                labels["account_id"], labels["device_id"], labels["in_household"], strict=True
            )
        }
    export = isinstance(reading, Reading) and reading.format == "netflix-export"
    named = "Netflix" if export else "label"
    heading = ["device", "probability", "verdict", *([named] if theirs else []), "first reason"]
    rows = [heading]
    for row in read_scores(target).to_pylist():
        answer = theirs.get((row["account_id"], row["device_id"]), "-")
        reason = sentence(row["reasons"][0]) if row["reasons"] else ""
        rows.append(
            [
                row["device_id"],
                f"{row['household_probability']:.3f}",
                row["verdict"],
                *([answer] if theirs else []),
                reason,
            ]
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for cells in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        click.echo(line.rstrip())
    if theirs:
        click.echo(f"{named}: whether the device is in the household by its own answer")


def _check_spark_options(format_: str | None, rejected: str | None, audit: str | None) -> None:
    given = [
        (name, value)
        for name, value, fine in (("--format", format_, "sessions"), ("--rejected", rejected, None))
        if value not in (None, fine)
    ]
    if audit is not None:
        raise ParameterError(
            Problem(
                "no audit record must be asked for with --engine spark",
                repr(audit),
                "Use the local engine, or unset HOUSEHOLD_ML_AUDIT.",
            )
        )
    if given:
        raise ParameterError(
            [
                Problem(
                    f"{name} must be left out with --engine spark",
                    repr(value),
                    "Use the local engine, which reads every format and writes rejected rows.",
                )
                for name, value in given
            ]
        )


def _score_with_spark(
    sessions: str,
    accounts: str | None,
    model: str | None,
    networks: str | None,
    moment: int | None,
    previous: str | None,
    out: str,
) -> None:
    from household_ml.serving.spark import local_session, read_source, score_into

    warnings.filterwarnings("ignore", category=FutureWarning, module="pyspark")
    with local_session() as session:
        devices = score_into(
            read_source(session, sessions),
            out,
            model=model,
            accounts=accounts,
            networks=networks,
            as_of=moment,
            previous=previous,
        )
    click.echo(f"{devices:,} devices, scores in {out}")


@click.command(
    cls=Command,
    examples=(
        "household-ml serve --api-keys off --port 8080",
        "household-ml api-keys --file keys.json --add enforcement",
        "household-ml serve --model models:/household@champion --host 0.0.0.0 --api-keys keys.json",
        "curl -s localhost:8080/v1/score -H 'Content-Type: application/json' -d @account.json",
    ),
)
@model_option
@click.option(
    "--networks",
    metavar="PATH",
    help="Snapshot of network statistics for every request; left out, those beside the model.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8080,
    show_default=True,
    help="Port to listen on; 0 chooses a free one.",
)
@click.option(
    "--api-keys",
    metavar="PATH",
    help="File of API keys, as household-ml api-keys makes it, or off, which a loopback address "
    "alone allows; left out, HOUSEHOLD_ML_HTTP_KEYS.",
)
@audit_option
@keys_option
def serve(
    model: str | None,
    networks: str | None,
    host: str,
    port: int,
    api_keys: str | None,
    audit_path: str | None,
    key_file: str | None,
) -> None:
    """Answer over HTTP; what there is to ask stands at /docs.

    Limits are environment variables, see HOUSEHOLD_ML_HTTP_... in the README. With an audit record
    and keys, what is answered is also recorded there, under pseudonyms and without addresses; each
    answer then waits for the disk.
    """
    from household_ml.serving.http import serve as answer

    with open_audit(audit_path, key_file, source="http") as recording:
        answer(
            model,
            networks=networks,
            host=host,
            port=port,
            api_keys=api_keys,
            recording=recording if named_audit(audit_path) is not None else None,
        )
