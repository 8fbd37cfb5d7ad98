"""Who may open the notebook: Jupyter asks at every request. Imported by its server alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from jupyter_server.auth import IdentityProvider, User

from benchmark.jobs.notebook import login
from benchmark.jobs.notebook.place import DIGEST


class Door(IdentityProvider):  # type: ignore[misc]
    """The one login whose digest the node has; read again each time, so that a rotation counts at once.

    It counts as no token: Jupyter goes on to check from where a page asks.
    """

    def get_user(self, handler: Any) -> Any:
        header = handler.request.headers.get("Authorization")
        digest = Path(os.environ["AIDC_FILES"], DIGEST).read_text(encoding="ascii")
        return User(login.USER) if login.opens(header, digest) else None

    def _token_default(self) -> str:
        return ""
