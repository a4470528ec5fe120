"""Errors as the API tells them: problem details (RFC 9457) with the product's own codes."""

from __future__ import annotations

from typing import Final

import msgspec

from household_ml.errors import (
    BusyError,
    FormatError,
    HouseholdError,
    InputError,
    MediaTypeError,
    NotReadyError,
    SlowRequestError,
    TimedOutError,
    TooLargeError,
    UnauthorizedError,
)
from household_ml.serving.http.messages import ProblemDetails, ProblemItem

__all__ = ["MEDIA_TYPE", "STATUSES", "problem_body", "problem_details", "status_of"]

#: Content type of an error.
MEDIA_TYPE: Final = "application/problem+json"

#: Error -> (status, title); the first class that an error is one of counts.
STATUSES: Final[dict[type[HouseholdError], tuple[int, str]]] = {
    UnauthorizedError: (401, "The API key is missing or unknown"),
    SlowRequestError: (408, "The request took too long to arrive"),
    TooLargeError: (413, "The request is too large"),
    MediaTypeError: (415, "The body is of no type that is taken"),
    FormatError: (400, "The body cannot be read"),
    BusyError: (503, "As much is in progress as may be"),
    NotReadyError: (503, "Nothing can be answered yet, or any more"),
    TimedOutError: (503, "The answer took too long"),
    InputError: (422, "The request cannot be answered as it is"),
    HouseholdError: (500, "The request could not be answered"),
}


def status_of(error: HouseholdError) -> int:
    """Status that an error is answered with.

    Examples
    --------
    >>> from household_ml.errors import Problem, SchemaError
    >>> status_of(SchemaError(Problem("ip must be given", "nothing", "Add it.")))
    422
    """
    return _entry(error)[0]


def problem_details(error: HouseholdError, status: int | None = None) -> ProblemDetails:
    """An error of the product as RFC 9457 tells it.

    Parameters
    ----------
    error : HouseholdError
        What went wrong; with ``pointers``, where in the body.
    status : int or None, default=None
        Status of the answer; None for the one of the error.

    Returns
    -------
    ProblemDetails
    """
    pointers = getattr(error, "pointers", ()) or (None,) * len(error.problems)
    own, title = _entry(error)
    return ProblemDetails(
        type=f"urn:household-ml:problem:{error.code}",
        title=title,
        status=status or own,
        detail=str(error) if len(error.problems) == 1 else f"{len(error.problems)} problems",
        code=error.code,
        problems=tuple(
            ProblemItem(problem.must, problem.got, problem.remedy, pointer)
            for problem, pointer in zip(error.problems, pointers, strict=True)
        ),
    )


def problem_body(error: HouseholdError, status: int | None = None) -> bytes:
    """The same, as JSON."""
    return msgspec.json.encode(problem_details(error, status))


def _entry(error: HouseholdError) -> tuple[int, str]:
    return next(entry for kind, entry in STATUSES.items() if isinstance(error, kind))
