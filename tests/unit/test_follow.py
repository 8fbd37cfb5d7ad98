"""images/shared/follow: a server is told of changed files once, and ends as it would by itself."""

import hashlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

FOLLOW = Path(__file__).parents[2] / "images" / "shared" / "follow"
SERVER = """
trap 'echo told' USR2
trap 'echo asked to end; exit 7' TERM
echo started
while true; do sleep 0.1; done
"""


def write_checksums(folder: Path) -> None:
    files = [folder / name for name in "abc" if (folder / name).exists()]
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files]
    (folder / "files.sha256").write_text("".join(lines))


class Followed:
    """A server that prints what happens to it, under `follow`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "log"
        self.write(a="1", b="1", c="1")
        self.process = subprocess.Popen(
            [FOLLOW, "USR2:a", "restart:b,c", "--", "bash", "-c", SERVER],
            env={**os.environ, "FOLLOW_DIR": str(folder)},
            stdout=self.log.open("w"),
        )
        self.wait_for("started")

    def write(self, **contents: str) -> None:
        """The files, and their checksums at last."""
        for name, content in contents.items():
            (self.folder / name).write_text(content)
        write_checksums(self.folder)

    def wait_for(self, text: str, count: int = 1, seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while self.log.read_text().count(text) < count:
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)


@pytest.fixture
def followed(tmp_path: Path) -> Iterator[Followed]:
    server = Followed(tmp_path)
    yield server
    server.process.terminate()
    server.process.wait(60)


def test_a_changed_file_is_told_once(followed: Followed) -> None:
    followed.write(a="2")
    followed.wait_for("told\n")
    time.sleep(2.5)
    assert followed.log.read_text().count("told\n") == 1
    assert followed.log.read_text().count("started") == 1


def test_a_server_that_cannot_be_told_starts_again(followed: Followed) -> None:
    followed.write(b="2")
    followed.wait_for("started", count=2)
    assert followed.log.read_text().count("asked to end") == 1


def test_a_file_that_is_away_for_a_moment_is_no_change(followed: Followed) -> None:
    (followed.folder / "a").unlink()
    time.sleep(2.5)
    (followed.folder / "a").write_text("1")
    time.sleep(2.5)
    assert "told\n" not in followed.log.read_text()


def test_half_of_the_new_files_is_no_change(followed: Followed) -> None:
    (followed.folder / "b").write_text("2")
    time.sleep(4)
    assert followed.log.read_text().count("started") == 1
    followed.write(c="2")
    followed.wait_for("started", count=2)


def test_a_server_starts_on_files_that_belong_together(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("2")
    write_checksums(tmp_path)
    (tmp_path / "a").write_text("1")
    environment = {**os.environ, "FOLLOW_DIR": str(tmp_path)}
    command = [str(FOLLOW), "HUP:a", "--", "cat", str(tmp_path / "a")]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        time.sleep(1)
        assert process.poll() is None
        (tmp_path / "a").write_text("2")
        assert process.communicate(timeout=20)[0] == "2"


def test_its_end_is_that_of_the_server(followed: Followed) -> None:
    followed.process.send_signal(signal.SIGTERM)
    assert followed.process.wait(60) == 7


def test_a_server_that_dies_ends_it(tmp_path: Path) -> None:
    write_checksums(tmp_path)
    environment = {**os.environ, "FOLLOW_DIR": str(tmp_path)}
    command = [str(FOLLOW), "HUP:x", "--", "bash", "-c", "exit 3"]
    assert subprocess.run(command, env=environment, timeout=20, check=False).returncode == 3
