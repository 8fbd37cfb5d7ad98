"""The server's command line, and the names that it shares with the stack."""

from __future__ import annotations

import json
from pathlib import Path

from benchmark.jobs.notebook import login, place
from components import compute
from components.planning import flows, notebook

HERE = place.Place("10.0.0.1", Path("/etc/aidc"), Path("/layer"))


def test_the_names_are_those_that_the_stack_gives() -> None:
    assert (place.DIGEST, place.CERTIFICATE, place.KEY) == (
        notebook.DIGEST,
        notebook.CERTIFICATE,
        notebook.KEY,
    )
    assert (place.PORT, login.USER, str(place.WORK)) == (flows.NOTEBOOK, notebook.USER, compute.WORK)


def test_it_listens_at_one_address_with_tls_and_asks_for_the_login() -> None:
    given = dict(
        word.removeprefix("--ServerApp.").split("=", 1) for word in place.arguments(HERE, Path("/work"))
    )
    assert (given["ip"], given["port"], given["port_retries"]) == ("10.0.0.1", "8888", "0")
    assert (given["certfile"], given["keyfile"]) == ("/etc/aidc/notebook.crt", "/etc/aidc/notebook.key")
    assert given["identity_provider_class"] == "benchmark.jobs.notebook.door.Door"
    assert given["allow_unauthenticated_access"] == "False"


def test_nothing_is_asked_of_the_internet(tmp_path: Path) -> None:
    ((path, text),) = place.settings(tmp_path).items()
    assert path.is_relative_to(place.variables(HERE, tmp_path)["JUPYTER_CONFIG_DIR"])
    (values,) = json.loads(text).values()
    assert values == {"fetchNews": "false", "checkForUpdates": False}


def test_the_place_comes_from_the_node_s_variables() -> None:
    variables = {"AIDC_SERVICE_ADDRESS": "10.0.0.1", "AIDC_FILES": "/etc/aidc"}
    assert place.of(variables, Path("/layer")) == HERE
