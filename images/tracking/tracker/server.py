"""MLflow's server: one process over TLS, which checks every login itself, and hands artefacts through.

`mlflow server` would be a second process of 280 MB that waits for the first, and could not take up a new
certificate.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import ssl
from typing import Any

from . import schemas
from .configuration import environment
from .settings import FILES, LIBPQ, PORT, SCRATCH, say
from .waiting import wait

# Of a first start, in which the database and the job come up as well.
PREPARED_WITHIN = 300
# Seconds for requests that are under way when the server is stopped.
FINISHED_WITHIN = 20


def load_certificate(context: ssl.SSLContext) -> None:
    """Connections from now on see the certificate that the files hold."""
    context.load_cert_chain(FILES / "tls.crt", FILES / "tls.key")
    say("new certificate taken up")


def serve(application: Any) -> None:
    """Returns after TERM; HUP takes up a new certificate."""
    import uvicorn

    config = uvicorn.Config(
        application,
        host="0.0.0.0",
        port=PORT,
        ssl_certfile=FILES / "tls.crt",
        ssl_keyfile=FILES / "tls.key",
        server_header=False,
        access_log=False,
        timeout_graceful_shutdown=FINISHED_WITHIN,
    )
    config.load()
    context = config.ssl
    assert context is not None
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    signal.signal(signal.SIGHUP, lambda *_: load_certificate(context))
    uvicorn.Server(config).run()


def main() -> None:
    """Serves once the databases are prepared. Raises TimeoutError when they are not."""
    # Until there is a certificate to take up.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.environ.update(LIBPQ)
    # What artefacts that were under way left behind.
    for left in SCRATCH.iterdir():
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    wait(schemas.missing, PREPARED_WITHIN)
    say("the databases are prepared")
    # The key of the browser's sessions is another one at each start: only this process uses it.
    told = environment(os.environ["TRACKING_HOSTS"], os.environ["TRACKING_ORIGINS"], secrets.token_hex(32))
    os.environ.update(told)
    # Only now: MLflow reads its settings when it is imported.
    from . import app

    serve(app.create())
