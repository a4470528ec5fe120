"""References inside a world: what a plain model finds there, and what an oracle does.

The *plain model* sees straightforward features per device, the *oracle* is told the true place of
every session. Both are the same learner, trained inside the world by cross-validation grouped by
account: an advantage that the model they are held against does not get. Between them lies an
oracle told the true access lines alone, beyond them one that is told which place is home, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from household_ml.errors import LabelsError, Problem
from household_ml.modeling.classifier import ClassifierConfig, fit_classifier
from household_ml.modeling.distance import LINE, ORACLE, ORACLE_HOME, PLAIN
from household_ml.modeling.reference_features import plain_features
from household_ml.modeling.reference_lives import line_features, oracle_features
from household_ml.modeling.truth import Truth
from household_ml.sessions import Sessions

__all__ = ["LEARNER", "score_out_of_fold", "score_references"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: The learner of all references.
LEARNER: Final = ClassifierConfig(
    trees=250, leaves=15, learning_rate=0.05, min_rows=20, l2=1.0, column_share=1.0
)

_FOLDS: Final = 5

Learner = Callable[[Ints], Callable[[Floats], Floats]]


def score_out_of_fold(
    values: Floats,
    y: Floats,
    account: Ints,
    *,
    ambiguous: Bools | None = None,
    learn: Learner | None = None,
    jobs: int = 1,
) -> Floats:
    """Score each device by a learner that has not seen its account.

    Parameters
    ----------
    values : float64 array of shape (D, F)
        Features; NaN = unknown.
    y : float64 array of shape (D,)
        1 = household, 0 = outside, NaN = unlabelled.
    account : int64 array of shape (D,)
        Account of each device.
    ambiguous : bool array of shape (D,), optional
        Policy open: scored, not learnt from.
    learn : callable, optional
        Given the rows to learn from, an integer array, it gives a function from rows of values to
        log-odds of ``household``, one or several a row; trees of :data:`LEARNER` when left out.
    jobs : int, default=1
        Threads; they change nothing but the time it takes.

    Returns
    -------
    float64 array of shape (D,), or (D, S) for S log-odds a row
        Log-odds of ``outside``.

    Raises
    ------
    LabelsError
        When there are too few labels to learn from every part of the accounts.
    """
    from joblib import Parallel, delayed
    from sklearn.model_selection import GroupKFold

    learnt = np.isfinite(y) if ambiguous is None else np.isfinite(y) & ~ambiguous
    folds = min(_FOLDS, np.unique(account).size)
    parts = list(GroupKFold(folds).split(values, groups=account)) if folds > 1 else []
    sides = [(train[learnt[train]], test) for train, test in parts]
    if not sides or any(np.unique(y[train]).size < 2 for train, _ in sides):
        raise LabelsError(
            Problem(
                "references must have household and outside devices to learn from in every fold",
                f"{int((y[learnt] == 1).sum())} and {int((y[learnt] == 0).sum())} devices of "
                f"{np.unique(account[learnt]).size} accounts",
                "Give a world of more accounts, or leave the references out.",
            )
        )
    free = [0] * values.shape[1]

    def plain(train: Ints) -> Callable[[Floats], Floats]:
        fitted = fit_classifier(values[train], y[train], monotone=free, config=LEARNER)
        return lambda rows: np.asarray(fitted.decision_function(rows))

    def fold(train: Ints, test: Ints) -> Floats:
        from threadpoolctl import threadpool_limits

        # sums of gradients depend, in the last digit, on how many threads share them
        with threadpool_limits(1):
            return -(learn or plain)(train)(values[test])

    scores = Parallel(n_jobs=jobs, prefer="threads")(delayed(fold)(*side) for side in sides)
    scored = np.concatenate([test for _, test in sides])
    found: Floats = np.concatenate(scores)[np.argsort(scored)]
    return found


def score_references(
    sessions: Sessions,
    truth: Truth,
    y: Floats,
    *,
    as_of: int,
    ambiguous: Bools | None = None,
    jobs: int = 1,
    progress: Callable[[str], None] | None = None,
) -> dict[str, Floats]:
    """Score the devices of a world by every reference that its truth allows.

    Parameters
    ----------
    sessions : Sessions
        Those that count at `as_of`: N rows of D devices.
    truth : Truth
        Of the same N rows.
    y : float64 array of shape (D,)
        1 = household, 0 = outside, NaN = unlabelled.
    as_of : int
        Microseconds since the epoch, UTC.
    ambiguous : bool array of shape (D,), optional
        Policy open: scored, not learnt from.
    jobs : int, default=1
        Threads.
    progress : callable, optional
        Called with the name of each reference when it is done.

    Returns
    -------
    dict of str to float64 array of shape (D,)
        Higher = more likely outside; from the plain model to the oracle told most.

    Raises
    ------
    LabelsError
        When there are too few labels.
    """
    views: dict[str, Callable[[], dict[str, Floats]]] = {
        PLAIN: lambda: plain_features(sessions, as_of)
    }
    line, at_home = truth.line, truth.at_home
    if line is not None:
        views[LINE] = lambda: line_features(sessions, as_of, line)
    views[ORACLE] = lambda: oracle_features(sessions, as_of, truth.place)
    if at_home is not None:
        views[ORACLE_HOME] = lambda: oracle_features(sessions, as_of, truth.place, at_home)
    account = sessions.device_account()
    found = {}
    for name, view in views.items():
        values = np.column_stack(list(view().values()))
        found[name] = score_out_of_fold(values, y, account, ambiguous=ambiguous, jobs=jobs)
        if progress is not None:
            progress(name)
    return found
