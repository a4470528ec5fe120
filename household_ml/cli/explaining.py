"""Why the devices of one account get their answers, and what would change them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import click

from household_ml.cli.options import read_input
from household_ml.errors import ParameterError, Problem

if TYPE_CHECKING:
    from household_ml.scoring.counterfactuals import Counterfactual
    from household_ml.scoring.one_account import AccountAnswer

__all__ = ["explain_account"]


def explain_account(
    sessions: str,
    *,
    account: str | None,
    accounts: str | None,
    model: str | None,
    networks: str | None,
    as_of: str | None,
    language: Literal["en", "fr"],
    as_json: bool,
) -> None:
    """Tell verdicts, reasons and counterfactuals of one account of some sessions.

    Parameters
    ----------
    sessions : str
        Path of the sessions; those of other accounts tell which networks are shared.
    account : str or None
        The account; None for the only one.
    accounts, model, networks, as_of
        As the command `score` takes them.
    language : {"en", "fr"}
        Language of the sentences.
    as_json : bool
        Whether to tell all of it as JSON.

    Raises
    ------
    ParameterError
        The account is not among the sessions, or none is named and there are several.
    """
    import numpy as np
    import pyarrow as pa

    from household_ml.scoring.one_account import answer_account
    from household_ml.scoring.scorer import HouseholdScorer, read_moment
    from household_ml.scoring.slots import read_slots
    from household_ml.scoring.window import known_at
    from household_ml.sessions.one_account import AccountSessions

    scorer = HouseholdScorer.load(model)
    taken = read_input(sessions, None, None)
    moment = taken.last_started_at() if as_of is None else read_moment(as_of)
    names = taken.account_id.to_pylist()
    if account is None and len(names) > 1:
        raise ParameterError(
            Problem(
                "--account must name one account",
                f"none, and sessions of {len(names):,} accounts",
                f"Give the id of one, such as {names[0]}.",
            )
        )
    if account is not None and account not in names:
        raise ParameterError(
            Problem(
                "--account must be an account of the sessions",
                repr(account),
                f"Give the id of one, such as {names[0]}.",
            )
        )
    place = 0 if account is None else names.index(account)
    statistics = scorer.statistics_for(known_at(taken, moment), networks)
    own = AccountSessions.of(taken.take_accounts(np.array([place])))
    slots = int(
        read_slots(
            taken.reading.accounts if accounts is None else accounts, pa.array([own.account_id])
        )[0]
    )
    answer = answer_account(
        scorer.model, scorer.columns, own, statistics=statistics, extra_members=slots, as_of=moment
    )
    changes = scorer.counterfactuals(own, extra_members=slots, networks=statistics, as_of=moment)
    if as_json:
        click.echo(json.dumps(_plain(answer, changes, language), indent=1, ensure_ascii=False))
    else:
        _tell(answer, changes, language)


def _tell(
    answer: AccountAnswer, changes: tuple[Counterfactual, ...], language: Literal["en", "fr"]
) -> None:
    from household_ml.scoring.reasons import sentence

    click.echo(f"{answer.account_id} at {answer.as_of:%Y-%m-%d %H:%M} UTC, by {answer.model}")
    for device in answer.devices:
        click.echo(f"{device.device_id}: {device.verdict}, {device.household_probability:.3f}")
        for code in device.reasons:
            click.echo(f"  {sentence(code, language)}")
        for change in changes:
            if change.device_id == device.device_id:
                click.echo(f"  > {change.sentence(language)}")


def _plain(
    answer: AccountAnswer, changes: tuple[Counterfactual, ...], language: Literal["en", "fr"]
) -> dict[str, Any]:
    return {
        "account_id": answer.account_id,
        "as_of": answer.as_of.isoformat(),
        "model": answer.model,
        "devices": [
            {
                **device._asdict(),
                "last_home_at": device.last_home_at and device.last_home_at.isoformat(),
                "counterfactuals": [
                    {
                        "change": change.change,
                        "count": change.count,
                        "verdict": change.verdict,
                        "household_probability": change.household_probability,
                        "sentence": change.sentence(language),
                        "sessions": [
                            {**row, "started_at": row["started_at"].isoformat()}
                            for row in change.sessions
                        ],
                    }
                    for change in changes
                    if change.device_id == device.device_id
                ],
            }
            for device in answer.devices
        ],
    }
