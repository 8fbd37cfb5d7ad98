"""The login to MLflow is found where its own client looks; nothing there is no error of the job."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.jobs.tracked import TrackingError, server

ENVIRONMENT = {"MLFLOW_TRACKING_URI": "https://t:1/", "MLFLOW_TRACKING_SERVER_CERT_PATH": "/ca"}


def test_the_login_is_read_from_the_client_s_file(tmp_path: Path) -> None:
    login = tmp_path / "credentials"
    login.write_text("[mlflow]\nmlflow_tracking_username = jobs\nmlflow_tracking_password = a%b\n")
    found = server(ENVIRONMENT, login)
    assert (found.url, found.session.auth, found.session.verify) == ("https://t:1", ("jobs", "a%b"), "/ca")


@pytest.mark.parametrize("environment", [ENVIRONMENT, {}])
def test_what_is_missing_is_named(environment: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match="on this node"):
        server(environment, tmp_path / "nothing")
