"""Commands around the audit record: audit and explain."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import click

from household_ml.cli.options import Command, keys_option, model_option, read_keys
from household_ml.config import environment
from household_ml.errors import ParameterError, Problem

if TYPE_CHECKING:
    from household_ml.scoring import HouseholdScorer
    from household_ml.serving.audit_records import AuditedAnswer
    from household_ml.serving.explaining import DeviceExplanation, Explanation

__all__ = ["audit", "audit_option", "explain", "named_audit", "open_audit"]

#: Features that are told of one device.
_TOLD = 8

audit_option = click.option(
    "--audit",
    "audit_path",
    metavar="PATH",
    help="Audit record, a SQLite file on a local disk; left out, HOUSEHOLD_ML_AUDIT.",
)


@click.command(
    cls=Command,
    examples=(
        "household-ml audit list --audit audit.db --keys household.keys --account 51ab2543ab9ce2d7",
        "household-ml audit erase --audit audit.db --keys household.keys \\",
        "    --account 51ab2543ab9ce2d7 --dry-run",
        "household-ml audit erase --audit audit.db --before 2026-01-01",
    ),
)
@click.argument("action", type=click.Choice(["list", "erase"]))
@audit_option
@keys_option
@click.option(
    "--account",
    "accounts",
    metavar="ID",
    multiple=True,
    help="True id of an account; may be given again. Needs the keys it was recorded under.",
)
@click.option("--before", metavar="TIME", help="With erase: what has an earlier as_of, ISO 8601.")
@click.option("--dry-run", is_flag=True, help="With erase: erase nothing, tell how much would be.")
def audit(
    action: str,
    audit_path: str | None,
    key_file: str | None,
    accounts: tuple[str, ...],
    before: str | None,
    dry_run: bool,
) -> None:
    """List what was answered about an account, or erase it.

    With --account and --before, what is of the account and from before is erased. Erased records
    are overwritten on the disk; copies and backups are not reached. When something was erased and
    how many records stays in the file, without saying of whom.
    """
    from household_ml.scoring.scorer import read_moment
    from household_ml.serving.audit import erase_answers, list_answers

    path = _needed(audit_path)
    keys = read_keys(key_file) if accounts else None
    if action == "erase":
        moment = None if before is None else read_moment(before)
        count = erase_answers(
            path, accounts=accounts or None, keys=keys, before=moment, dry_run=dry_run
        )
        click.echo(f"{count:,} records {'would be ' if dry_run else ''}erased from {path}")
        return
    if keys is None or before is not None or dry_run:
        raise ParameterError(
            Problem(
                "audit list must be given --account, and neither --before nor --dry-run",
                "another call",
                "Add --account ID.",
            )
        )
    for account in accounts:
        found = list_answers(path, account, keys)
        click.echo(f"{account}: {len(found):,} answers")
        for answer in found:
            _list(answer)


@click.command(
    cls=Command,
    examples=(
        "household-ml explain --audit audit.db --record 9f86d081884c7d659a2feaa0c55ad015.2",
        "household-ml explain --audit audit.db --record 9f86d081 --keys household.keys \\",
        "    --model models:/household/7 --language fr",
        "household-ml explain --sessions data/example --account 51ab2543ab9ce2d7",
    ),
)
@click.option(
    "--record",
    metavar="ID",
    help="Id of a record: that of an answer, a dot and the number of the device. Without the "
    "number, every device of the answer; the beginning of the id is enough where one has it.",
)
@click.option("--sessions", metavar="PATH", help="Instead of a record: sessions to answer from.")
@click.option(
    "--account", metavar="ID", help="With --sessions: the account; left out, the only one."
)
@click.option("--accounts", metavar="PATH", help="With --sessions: table of extra-member slots.")
@click.option("--networks", metavar="PATH", help="With --sessions: as household-ml score has it.")
@click.option("--as-of", metavar="TIME", help="With --sessions: as household-ml score has it.")
@audit_option
@model_option
@keys_option
@click.option(
    "--language",
    type=click.Choice(["en", "fr"]),
    default="en",
    show_default=True,
    help="Language of the reasons.",
)
@click.option("--json", "as_json", is_flag=True, help="Tell all of it as JSON.")
def explain(
    record: str | None,
    sessions: str | None,
    account: str | None,
    accounts: str | None,
    networks: str | None,
    as_of: str | None,
    audit_path: str | None,
    model: str | None,
    key_file: str | None,
    language: Literal["en", "fr"],
    as_json: bool,
) -> int:
    """Give a recorded answer again from what was recorded, and say whether it is equal.

    The model is found by its digest: the one named, else HOUSEHOLD_ML_MODEL, the one that ships,
    or any in the MLflow registry. With keys, the seal of the record is checked too. Exit code 0
    when the answer is equal and nothing was changed, else 1.

    With --sessions the answers of one account are given, with their reasons and with what would
    change them: a change is told only where the account, scored again with it, gets another answer.
    """
    if (record is None) == (sessions is None):
        raise ParameterError(
            Problem(
                "explain must be given --record or --sessions, one of them",
                "both" if record else "neither",
                "Name a record of an audit record, or the sessions of an account.",
            )
        )
    if sessions is not None:
        from household_ml.cli.explaining import explain_account

        explain_account(
            sessions,
            account=account,
            accounts=accounts,
            model=model,
            networks=networks,
            as_of=as_of,
            language=language,
            as_json=as_json,
        )
        return 0
    from household_ml.serving.audit import read_answer
    from household_ml.serving.explaining import explain_answer

    assert record is not None
    answer, device = read_answer(_needed(audit_path), record)
    given = key_file or environment("HOUSEHOLD_ML_KEYS")
    keys = read_keys(given) if given else None
    found = explain_answer(answer, model=model, keys=keys)
    chosen = range(1, len(answer.devices) + 1) if device is None else [device]
    if as_json:
        click.echo(json.dumps(_plain(found, chosen), indent=1))
    else:
        _tell(found, chosen, language)
    return 0 if found.equal and found.intact is not False else 1


@contextmanager
def open_audit(
    audit_path: str | None, key_file: str | None, *, source: str
) -> Iterator[Callable[[HouseholdScorer], HouseholdScorer]]:
    """What makes a scorer write into the audit record, where one is asked for, until the end."""
    path = named_audit(audit_path)
    if path is None:
        yield lambda scorer: scorer
        return
    from household_ml.serving.audit import AuditedScorer, AuditLog

    with AuditLog(path, read_keys(key_file)) as log:
        yield lambda scorer: AuditedScorer(scorer, log, source=source)


def named_audit(audit_path: str | None) -> str | None:
    """The audit record that is meant: the one named, else the environment's, else none."""
    return audit_path or environment("HOUSEHOLD_ML_AUDIT") or None


def _needed(audit_path: str | None) -> str:
    path = named_audit(audit_path)
    if path is None:
        raise ParameterError(
            Problem(
                "--audit must name an audit record",
                "neither --audit nor HOUSEHOLD_ML_AUDIT",
                "Give the file that household-ml score --audit or the service wrote.",
            )
        )
    return path


def _list(answer: AuditedAnswer) -> None:
    click.echo(
        f"  as of {_time(answer.as_of)}, written {_time(answer.written_at)} by {answer.source}, "
        f"{answer.model.label}"
    )
    for number, device in enumerate(answer.devices, start=1):
        click.echo(
            f"    {answer.id}.{number}  {device.probability:.4f}  {device.verdict:<12}  "
            f"{' '.join(device.reasons)}"
        )


def _tell(found: Explanation, chosen: range | list[int], language: Literal["en", "fr"]) -> None:
    from household_ml.scoring.reasons import sentence

    answer = found.answer
    click.echo(f"account {answer.account}, as of {_time(answer.as_of)}, {answer.model.label}")
    click.echo(
        f"written {_time(answer.written_at)} by {answer.source}, household-ml {answer.software}"
    )
    for number in chosen:
        device = answer.devices[number - 1]
        click.echo(f"record {answer.id}.{number}, device {device.device}, place {device.place}")
        click.echo(f"  recorded    {device.probability:.6f} {device.verdict}")
        if found.devices:
            again = found.devices[number - 1]
            click.echo(f"  given again {again.probability:.6f} {again.verdict}")
        for code in device.reasons:
            click.echo(f"  - {_sentence(sentence, code, language)}")
        if found.devices:
            _tell_features(found.devices[number - 1])
    click.echo(_seal(found))
    click.echo(_outcome(found))


def _tell_features(again: DeviceExplanation) -> None:
    for name, value, share in again.contributions[:_TOLD]:
        told = "unknown" if value is None else f"{value:.6g}"
        click.echo(f"    {name:<36} {told:>12}  {share:+.3f}")


def _sentence(sentence: Any, code: str, language: str) -> str:
    """The sentence of a code; the code itself where this version does not know it."""
    try:
        return str(sentence(code, language))
    except KeyError:
        return code


def _seal(found: Explanation) -> str:
    return {
        True: "seal: whole; the record is what was written",
        False: "seal: BROKEN; the record was changed, or written under a key that is not given",
        None: "seal: not checked; give --keys",
    }[found.intact]


def _outcome(found: Explanation) -> str:
    if found.missing:
        return f"equal: unknown; {found.missing}"
    if found.equal:
        return "equal: yes; the same probability, verdicts and reasons"
    told = [
        f"device {device.number} differs in {', '.join(device.differs)}"
        for device in found.devices
        if device.differs
    ]
    why = (
        f"; recorded by household-ml {found.answer.software}, this is another version"
        if found.other_software
        else ""
    )
    return f"equal: NO; {'; '.join(told)}{why}"


def _plain(found: Explanation, chosen: range | list[int]) -> dict[str, Any]:
    answer = found.answer
    devices = []
    for number in chosen:
        recorded = answer.devices[number - 1]
        entry: dict[str, Any] = {
            "record": f"{answer.id}.{number}",
            "device": recorded.device,
            "place": recorded.place,
            "last_home_at": None if recorded.last_home_at is None else _time(recorded.last_home_at),
            "sessions": recorded.sessions,
            "recorded": {
                "household_probability": recorded.probability,
                "verdict": recorded.verdict,
                "reasons": list(recorded.reasons),
            },
        }
        if found.devices:
            again = found.devices[number - 1]
            entry["given_again"] = {
                "household_probability": again.probability,
                "verdict": again.verdict,
                "reasons": list(again.reasons),
            }
            entry["differs"] = list(again.differs)
            entry["features"] = [
                {"name": name, "value": value, "log_odds": share}
                for name, value, share in again.contributions
            ]
        devices.append(entry)
    return {
        "account": answer.account,
        "as_of": _time(answer.as_of),
        "written_at": _time(answer.written_at),
        "source": answer.source,
        "model": {"label": answer.model.label, "digest": answer.model.digest},
        "software": answer.software,
        "account_sessions": answer.sessions,
        "account_days": answer.days,
        "extra_members": answer.slots,
        "seal_whole": found.intact,
        "equal": found.equal,
        "model_missing": found.missing or None,
        "devices": devices,
    }


def _time(moment: int) -> str:
    told = datetime.fromtimestamp(moment / 1e6, UTC).isoformat(timespec="seconds")
    return told.replace("+00:00", "Z")
