"""The login to MLflow is found where its own client looks; nothing there is no error of the job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmark.jobs.tracked import API, JOB, Server, TrackingError, server

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


class Recording(Server):
    """Answers as MLflow does, and keeps what it was asked."""

    def __init__(self, place: str) -> None:
        super().__init__("https://t:1", "jobs", "word", "/ca")
        self.place, self.asked = place, list[tuple[str, str, Any]]()

    def call(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        self.asked.append((method, path, arguments.get("data")))
        if path == "/experiments/get-by-name":
            return {"experiment": {"experiment_id": "7"}}
        return {"run": {"info": {"run_id": "r", "artifact_uri": self.place}}}


def test_an_artefact_goes_below_the_run_s_own_place() -> None:
    asked = Recording("mlflow-artifacts:/7/r/artifacts")
    asked.open("demo", {}, {}).attach("packages.txt", b"rich==1")
    assert API + asked.asked[-1][1] == "/api/2.0/mlflow-artifacts/artifacts/7/r/artifacts/packages.txt"
    assert asked.asked[-1][::2] == ("PUT", b"rich==1")


def test_a_server_that_takes_no_artefacts_is_named() -> None:
    with pytest.raises(TrackingError, match="takes no artefacts at 's3://elsewhere'"):
        Recording("s3://elsewhere").open("demo", {}, {}).attach("packages.txt", b"")


class Left(Recording):
    """Has a run of the job that nobody ended."""

    def call(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        self.asked.append((method, path, arguments.get("json")))
        if path == "/runs/search":
            return {"runs": [{"info": {"run_id": "old"}}]}
        return super().call(method, path, **arguments)


def test_a_run_that_its_killed_driver_left_open_ends_with_the_next_start() -> None:
    asked = Left("mlflow-artifacts:/7/r/artifacts")
    asked.open("demo", {}, {JOB: "demo"})
    search = next(body for _, path, body in asked.asked if path == "/runs/search")
    assert search["filter"] == "attributes.status = 'RUNNING' and tags.`aidc.job` = 'demo'"
    ended = [body for _, path, body in asked.asked if path == "/runs/update" and body]
    assert [(body["run_id"], body["status"]) for body in ended] == [("old", "KILLED")]
