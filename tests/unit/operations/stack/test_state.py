"""What a killed run leaves: dead locks and living ones, half-created resources and foreign ones."""

import json
import os
import socket
from pathlib import Path

import pytest

from operations.engine.client import EngineResource
from operations.stack import state


def lock(folder: Path, pid: int, host: str | None = None) -> dict[str, str]:
    place = folder / ".pulumi" / "locks" / "organization" / "aidc" / "dev"
    place.mkdir(parents=True)
    content = {"pid": pid, "username": "root", "hostname": host or socket.gethostname(), "timestamp": "2026"}
    (place / "a.json").write_text(json.dumps(content))
    return {"PULUMI_BACKEND_URL": f"file://{folder}"}


def resource(name: str, kind: str = "service", identifier: str = "new") -> EngineResource:
    return EngineResource("container", name, identifier, {"aidc.stack": "dev", "aidc.kind": kind})


def exported(known: str = "", pending: str = "") -> dict[str, object]:
    operations = [{"resource": {"inputs": {"name": pending}}, "type": "creating"}] if pending else []
    return {"deployment": {"resources": [{"urn": "x"}, {"id": known}], "pending_operations": operations}}


def test_the_lock_of_a_process_that_is_gone_is_no_obstacle(tmp_path: Path) -> None:
    (found,) = state.locks("dev", lock(tmp_path, 2**22 + 1))
    assert found.alive is False
    assert not state.lock_issues([found], "dev")


def test_a_number_that_went_to_another_program_is_a_dead_lock(tmp_path: Path) -> None:
    # This very process lives and is no pulumi.
    (found,) = state.locks("dev", lock(tmp_path, os.getpid()))
    assert found.alive is False


def test_a_lock_of_another_machine_is_never_released(tmp_path: Path) -> None:
    (found,) = state.locks("dev", lock(tmp_path, 1, "elsewhere"))
    (issue,) = state.lock_issues([found], "dev")
    assert "pulumi cancel" in issue.fix


def test_a_living_run_is_waited_for(tmp_path: Path) -> None:
    living = state.Lock(tmp_path, 7, "here", "2026", True)
    (issue,) = state.lock_issues([living], "dev")
    assert "process 7" in issue.fault


def test_a_damaged_lock_file_is_passed_over(tmp_path: Path) -> None:
    environment = lock(tmp_path, 1)
    next(tmp_path.rglob("a.json")).write_text("{")
    assert state.locks("dev", environment) == []


@pytest.mark.parametrize("url", ["", "s3://bucket", "https://example"])
def test_other_backends_show_no_lock_files(url: str) -> None:
    assert state.locks("dev", {"PULUMI_BACKEND_URL": url}) == []


def test_what_the_state_knows_is_no_stranger() -> None:
    assert state.split_unrecorded([resource("a", identifier="known")], exported("known")) == ([], [])


def test_what_was_being_created_is_ours() -> None:
    ours, others = state.split_unrecorded([resource("a")], exported(pending="a"))
    assert [t.name for t in ours] == ["a"]
    assert others == []


def test_what_neither_knows_is_foreign() -> None:
    ours, others = state.split_unrecorded([resource("a")], None)
    assert ours == []
    assert [t.name for t in others] == ["a"]


def test_containers_that_pulumi_never_makes_are_left_alone() -> None:
    assert state.split_unrecorded([resource("drill", kind="tool")], None) == ([], [])


def test_a_volume_is_never_in_the_way() -> None:
    volume = EngineResource("volume", "v", "v", {"aidc.stack": "dev", "aidc.kind": "data"})
    assert state.split_unrecorded([volume], exported(pending="v")) == ([], [])


def test_all_foreign_resources_are_one_issue() -> None:
    (issue,) = state.foreign_issues([resource(str(n)) for n in range(9)], "dev")
    assert "5 more" in issue.fault
    assert "make destroy STACK=dev" in issue.fix
