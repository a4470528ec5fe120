"""The HTTP scoring service: a body becomes sessions, the scorer answers, the answer is written.

No rule of scoring lives here. Bodies are parsed by msgspec from the types of
:mod:`household_ml.serving.http.messages`, of which the OpenAPI description is made too, so that
what is documented is what is accepted.
"""

from household_ml.errors import MissingDependencyError, Problem

try:
    from household_ml.serving.http.app import create_app
    from household_ml.serving.http.server import serve
except ImportError as error:  # pragma: no cover - held by the test in a bare environment
    raise MissingDependencyError(
        Problem(
            "FastAPI, uvicorn, httptools, msgspec and prometheus-client must be installed to serve",
            f"no module {error.name}",
            "Install the extra: pip install 'household-ml[serve]'.",
        )
    ) from error

__all__ = ["create_app", "serve"]
