"""Every error of the product, each with a stable code.

::

    HouseholdError                  error
    ├── InputError                  input              the caller's data or call is wrong
    │   ├── SchemaError             schema             a column is missing or of a wrong type
    │   ├── FormatError             format             a file is of no recognised format, or is damaged
    │   ├── NoSessionsError         no_sessions        not one row could be used
    │   ├── LabelsError             labels             labels cannot be used for training
    │   ├── ParameterError          parameter          an option or argument is out of its range
    │   ├── NetworksError           networks           a table or snapshot of networks cannot be used
    │   ├── TooLargeError           too_large          a request is beyond a limit of the service
    │   └── MediaTypeError          media_type         a body is of no type that is taken
    ├── ModelError                  model              a saved model cannot be used
    │   ├── ModelNotFoundError      model_not_found    nothing is saved there
    │   ├── ModelFormatError        model_format       it is not a model of this format
    │   ├── ModelIntegrityError     model_integrity    its bytes are not those that were saved
    │   ├── ModelFeaturesError      model_features     it was trained on other features
    │   └── RegistryError           registry           the registry of models does not answer
    ├── ServiceError                service            the service does not take this request
    │   ├── UnauthorizedError       unauthorized       the API key is missing or unknown
    │   ├── BusyError               busy               as much is in progress as may be
    │   ├── SlowRequestError        slow_request       it took longer to arrive than it may
    │   ├── TimedOutError           timed_out          it took longer to answer than it may
    │   └── NotReadyError           not_ready          no model is loaded yet, or the service stops
    ├── AuditError                  audit              an audit record cannot be read or written
    ├── ResourcesError              resources          the disk is full or memory has run out
    └── MissingDependencyError      missing_dependency an optional part is not installed

The grammar of a message is one: ``<what> must <rule>, got <value>. <what to do>``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

__all__ = [
    "AuditError",
    "BusyError",
    "FormatError",
    "HouseholdError",
    "InputError",
    "LabelsError",
    "MediaTypeError",
    "MissingDependencyError",
    "ModelError",
    "ModelFeaturesError",
    "ModelFormatError",
    "ModelIntegrityError",
    "ModelNotFoundError",
    "NetworksError",
    "NoSessionsError",
    "NotReadyError",
    "ParameterError",
    "Problem",
    "RegistryError",
    "ResourcesError",
    "SchemaError",
    "ServiceError",
    "SlowRequestError",
    "TimedOutError",
    "TooLargeError",
    "UnauthorizedError",
]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Parameters
    ----------
    must : str
        What must hold, as ``<what> must <rule>``.
    got : str
        What was found instead.
    remedy : str
        What the reader can do about it, as a full sentence.

    Examples
    --------
    >>> print(Problem("as_of must be a timestamp", "'soon'", "Give an ISO 8601 time."))
    as_of must be a timestamp, got 'soon'. Give an ISO 8601 time.
    """

    must: str
    got: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.must}, got {self.got}. {self.remedy}"


class HouseholdError(Exception):
    """Base of every error that the product raises on purpose.

    Parameters
    ----------
    problems : Problem or sequence of Problem
        All that is wrong with the one input, told together.

    Attributes
    ----------
    code : str
        Stable name of the error, the same in Python, on the command line and over HTTP.
    exit_code : int
        What the command line exits with.

    Examples
    --------
    >>> error = ParameterError(Problem("accounts must be at least 1", "0", "Ask for more."))
    >>> error.code, str(error)
    ('parameter', 'accounts must be at least 1, got 0. Ask for more.')
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 2

    def __init__(self, problems: Problem | Sequence[Problem]) -> None:
        self.problems: tuple[Problem, ...] = (
            (problems,) if isinstance(problems, Problem) else tuple(problems)
        )
        super().__init__(" ".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type[HouseholdError], tuple[tuple[Problem, ...]]]:
        return type(self), (self.problems,)


class InputError(HouseholdError):
    """The caller's data or call is wrong."""

    code = "input"


class SchemaError(InputError):
    """A column is missing or of a wrong type."""

    code = "schema"


class FormatError(InputError):
    """A file is of no recognised format, or is damaged."""

    code = "format"


class NoSessionsError(InputError):
    """Not one row could be used."""

    code = "no_sessions"


class LabelsError(InputError):
    """Labels cannot be used for training."""

    code = "labels"


class ParameterError(InputError):
    """An option or argument is out of its range."""

    code = "parameter"


class NetworksError(InputError):
    """A table or snapshot of networks cannot be used."""

    code = "networks"


class TooLargeError(InputError):
    """A request is beyond a limit of the service."""

    code = "too_large"


class MediaTypeError(InputError):
    """A body is of no type that is taken."""

    code = "media_type"


class ModelError(HouseholdError):
    """A saved model cannot be used."""

    code = "model"


class ModelNotFoundError(ModelError):
    """Nothing is saved there."""

    code = "model_not_found"


class ModelFormatError(ModelError):
    """It is not a model of this format."""

    code = "model_format"


class ModelIntegrityError(ModelError):
    """Its bytes are not those that were saved."""

    code = "model_integrity"


class ModelFeaturesError(ModelError):
    """It was trained on other features."""

    code = "model_features"


class RegistryError(ModelError):
    """The registry of models does not answer."""

    code = "registry"


class ServiceError(HouseholdError):
    """The service does not take this request."""

    code = "service"


class UnauthorizedError(ServiceError):
    """The API key is missing or unknown."""

    code = "unauthorized"


class BusyError(ServiceError):
    """As much is in progress as may be."""

    code = "busy"


class SlowRequestError(ServiceError):
    """It took longer to arrive than it may."""

    code = "slow_request"


class TimedOutError(ServiceError):
    """It took longer to answer than it may."""

    code = "timed_out"


class NotReadyError(ServiceError):
    """No model is loaded yet, or the service stops."""

    code = "not_ready"


class AuditError(HouseholdError):
    """An audit record cannot be read or written."""

    code = "audit"


class ResourcesError(HouseholdError):
    """The disk is full or memory has run out."""

    code = "resources"
    exit_code = 1


class MissingDependencyError(HouseholdError):
    """An optional part is not installed."""

    code = "missing_dependency"
    exit_code = 1
