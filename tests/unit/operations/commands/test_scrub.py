"""`aidc scrub`: what is named, and the exit code, from what the script in the node prints."""

from collections.abc import Callable
from typing import Any

import pytest
from docker.errors import NotFound

from operations.commands import scrub
from operations.engine.client import EngineResource
from operations.errors import FAILED, OK, OperationError, RefusedError


class Engine:
    """A node that prints `lines` when it is scrubbed."""

    def __init__(
        self, lines: list[str], code: int = 0, running: bool = True, gateway: tuple[str, ...] = ()
    ) -> None:
        self.lines, self.code, self.running, self.gateway = lines, code, running, gateway
        self.command: list[str] = []

    def containers(self, _stack: str) -> list[EngineResource]:
        return [EngineResource("container", name, name) for name in self.gateway]

    def inspect(self, name: str) -> dict[str, Any]:
        if not self.running:
            raise NotFound(name)
        return {"State": {"Running": True}}

    def follow(self, _container: str, command: list[str], on_line: Callable[[str], None]) -> int:
        self.command = command
        for line in self.lines:
            on_line(line)
        return self.code


def item(key: str, before: str, after: str) -> str:
    def drives(state: str) -> str:
        states = ("ok", "ok", state, state)
        nodes = [f"https://object-store-{n}:9000/data" for n in range(1, 5)]
        pairs = zip(nodes, states, strict=True)
        return ",".join(f'{{"endpoint":"{node}","state":"{each}"}}' for node, each in pairs)

    return (
        f'{{"bucket":"models","object":"{key}","versionId":"null","dataBlocks":2,'
        f'"before":{{"drives":[{drives(before)}]}},"after":{{"drives":[{drives(after)}]}}}},'
    )


MENDED, LEFT = item("a", "corrupt", "ok"), item("b", "missing", "missing")


@pytest.fixture
def scrubbed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def scrubbed(*lines: str, **more: Any) -> tuple[int, str]:
        monkeypatch.setattr(scrub, "connect", lambda: Engine(list(lines), **more))
        code = scrub.main("dev", 60)
        return code, capsys.readouterr().out

    return scrubbed


@pytest.mark.parametrize(
    ("lines", "code", "verdict"),
    [
        (["scanned 7 finished"], OK, "7 objects read, nothing damaged"),
        ([MENDED, "scanned 7 finished"], OK, "7 objects read, 1 damaged, 1 restored"),
        ([MENDED, LEFT, "scanned 7 finished"], FAILED, "7 objects read, 2 damaged, 1 restored"),
        (["scanned 7 stopped"], FAILED, "not all of them"),
    ],
)
def test_the_exit_code_says_whether_all_is_whole(
    lines: list[str], code: int, verdict: str, scrubbed: Any
) -> None:
    found, said = scrubbed(*lines)
    assert (found, verdict in said) == (code, True)


def test_each_damaged_object_is_named_with_what_came_of_it(scrubbed: Any) -> None:
    _, said = scrubbed(MENDED, LEFT, "scanned 7 finished")
    assert "models/a: corrupt on object-store-3, corrupt on object-store-4: restored" in said
    assert "models/b: missing on object-store-3, missing on object-store-4: NOT restored" in said


def test_a_long_scrub_shows_how_far_it_is(scrubbed: Any) -> None:
    _, said = scrubbed("scanned 5 running", "scanned 7 finished")
    assert "5 objects so far" in said


def test_a_stack_that_is_down_is_refused(scrubbed: Any) -> None:
    with pytest.raises(RefusedError, match="make up STACK=dev"):
        scrubbed(running=False)


def test_a_store_that_refuses_is_told_with_its_reason(scrubbed: Any) -> None:
    with pytest.raises(OperationError, match=r"cannot be scrubbed: curl: \(7\)"):
        scrubbed("curl: (7) refused", code=7)


def test_a_scrub_that_broke_off_is_no_success(scrubbed: Any) -> None:
    with pytest.raises(OperationError, match="did not end"):
        scrubbed("scanned 5 running")


def test_an_outside_store_is_left_to_its_operator(scrubbed: Any) -> None:
    code, text = scrubbed(running=False, gateway=("aidc-dev-store-gateway",))
    assert code == OK
    assert "outside store, which is not ours" in text
