"""A layer of packages on a node: only what its digest names is imported, whoever tampered with it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from benchmark.core.store import DirectoryStore
from benchmark.jobs import packages
from benchmark.jobs.packages import PackagesError

Put = Callable[[dict[str, str]], str]


def packed(files: dict[str, str], kind: bytes = tarfile.REGTYPE) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.type = len(content), 0o644, kind
            info.linkname = "/etc/passwd" if kind != tarfile.REGTYPE else ""
            archive.addfile(info, io.BytesIO(content.encode()))
    return stream.getvalue()


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "store")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def put(store: DirectoryStore, tmp_path: Path) -> Put:
    """Store a layer of these files, and return its digest."""

    def call(files: dict[str, str]) -> str:
        tree = tmp_path / "tree" / str(len(list(tmp_path.glob("tree/*"))))
        for name, content in files.items():
            path = tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        digest = packages.digest_of(tree)
        store.put(packages.key(digest), packed(files))
        return digest

    return call


def test_a_script_imports_what_its_layer_holds(store: DirectoryStore, root: Path, put: Put) -> None:
    folder = packages.provide(put({"small/__init__.py": "answer = 42"}), root, store)
    told = packages.variables(folder, {"PYTHONPATH": "/before", "PATH": "/bin"})
    command = [sys.executable, "-c", "import small; print(small.answer)"]
    done = subprocess.run(command, env={**os.environ, **told}, capture_output=True, text=True, check=True)
    assert done.stdout == "42\n"
    assert told == {"PYTHONPATH": f"/before:{folder}"}


def test_programs_of_a_package_come_first(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    assert packages.variables(tmp_path, {"PATH": "/bin"})["PATH"] == f"{tmp_path}/bin:/bin"


def test_two_versions_lie_side_by_side(store: DirectoryStore, root: Path, put: Put) -> None:
    both = [packages.provide(put({"small.py": f"version = {n}"}), root, store) for n in (1, 2)]
    assert [(folder / "small.py").read_text() for folder in both] == ["version = 1", "version = 2"]


def test_the_second_job_needs_no_store(store: DirectoryStore, root: Path, put: Put) -> None:
    digest = put({"small.py": "1"})
    first = packages.provide(digest, root, store)
    store.delete(packages.key(digest))
    assert packages.provide(digest, root, store) == first


@pytest.mark.parametrize("change", ["content", "more", "mode"])
def test_what_was_changed_on_the_node_is_fetched_anew(
    store: DirectoryStore, root: Path, put: Put, change: str
) -> None:
    digest = put({"small.py": "1"})
    folder = packages.provide(digest, root, store)
    folder.chmod(0o700)
    changed = folder / ("other.py" if change == "more" else "small.py")
    if change == "mode":
        changed.chmod(0o755)
    else:
        changed.unlink(missing_ok=True)
        changed.write_text("2")
    again = packages.provide(digest, root, store)
    assert packages.digest_of(again) == digest
    assert [path.name for path in again.iterdir()] == ["small.py"]


def test_a_layer_is_not_writable(store: DirectoryStore, root: Path, put: Put) -> None:
    folder = packages.provide(put({"small/a.py": "1"}), root, store)
    assert [oct(path.stat().st_mode & 0o222) for path in (folder, *folder.rglob("*"))] == ["0o0"] * 3


def test_another_layer_under_the_digest_is_refused(store: DirectoryStore, root: Path, put: Put) -> None:
    digest = put({"small.py": "1"})
    store.put(packages.key(digest), packed({"small.py": "evil"}))
    with pytest.raises(PackagesError, match=r"datasets/packages/.* is something else"):
        packages.provide(digest, root, store)
    assert not (root / digest).exists()


@pytest.mark.parametrize(
    "content",
    [packed({"a.py": "1"})[:40], b"no archive", packed({"l": ""}, tarfile.SYMTYPE), packed({"../../x": "1"})],
    ids=["cut short", "no archive", "link", "outside"],
)
def test_what_cannot_be_unpacked_is_refused_by_name(
    store: DirectoryStore, root: Path, tmp_path: Path, content: bytes
) -> None:
    store.put(packages.key("a" * 64), content)
    with pytest.raises(PackagesError):
        packages.provide("a" * 64, root, store)
    assert not (tmp_path / "x").exists()
    assert not list(root.glob("fetch-*"))


def test_a_layer_that_unpacks_to_too_much_is_refused(
    store: DirectoryStore, root: Path, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = put({"small.py": "1" * 100})
    monkeypatch.setattr(packages, "MOST", 99)
    with pytest.raises(PackagesError, match="one too many"):
        packages.provide(digest, root, store)


@pytest.mark.parametrize(
    "kind", [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE]
)
def test_a_header_that_would_fill_the_memory_is_refused_unread(kind: bytes, tmp_path: Path) -> None:
    bomb = io.BytesIO(packed({"x": "A" * (packages.ASIDE_MOST + 1)}, kind))
    with pytest.raises(PackagesError, match="a header of 65537 bytes"):
        packages.unpack(bomb, tmp_path)


def test_a_name_with_a_line_break_is_no_part_of_a_layer(tmp_path: Path) -> None:
    """Else two files and one with a long name could have the same digest."""
    (tmp_path / "a.py\nb").write_text("")
    with pytest.raises(PackagesError, match="not the name of a file"):
        packages.digest_of(tmp_path)


def test_a_missing_layer_is_named(store: DirectoryStore, root: Path) -> None:
    with pytest.raises(PackagesError, match=f"datasets/packages/{'b' * 64}.tar.gz: no such object"):
        packages.provide("b" * 64, root, store)


@pytest.mark.parametrize("digest", ["", "../../etc", "A" * 64])
def test_only_a_digest_names_a_layer(store: DirectoryStore, root: Path, digest: str) -> None:
    with pytest.raises(PackagesError, match="is not the digest"):
        packages.provide(digest, root, store)


def test_room_is_made_by_the_oldest_that_nobody_uses(
    store: DirectoryStore, root: Path, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = [put({"small.py": str(n)}) for n in range(3)]
    # What another process has fetched, used and left.
    code = "import sys; from pathlib import Path; from benchmark.core.store import DirectoryStore as S\n"
    code += "from benchmark.jobs.packages import provide; r, s, *ds = sys.argv[1:]\n"
    code += "[provide(d, Path(r), S(Path(s))) for d in ds]"
    subprocess.run([sys.executable, "-c", code, str(root), str(store.root), digests[0]], check=True)
    used = packages.provide(digests[1], root, store)
    monkeypatch.setattr(packages, "KEPT", packages.MOST)
    packages.provide(digests[2], root, store)
    assert used.is_dir()
    assert not (root / digests[0]).exists()


def test_a_worker_of_ray_finds_the_packages_before_those_of_the_image(
    store: DirectoryStore, root: Path, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = put({"small.py": "1"})
    monkeypatch.setattr(packages, "provide", partial(packages.provide, root=root, store=store))
    monkeypatch.setattr(sys, "path", ["/script", "/opt/aidc", "/x/site-packages"])
    monkeypatch.setenv("PYTHONPATH", "/opt/aidc")
    monkeypatch.setenv(packages.VARIABLE, digest)
    packages.enable()
    assert sys.path == ["/script", "/opt/aidc", str(root / digest), "/x/site-packages"]
    assert os.environ["PYTHONPATH"] == f"/opt/aidc:{root / digest}"


def test_a_worker_without_packages_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    before = list(sys.path)
    monkeypatch.delenv(packages.VARIABLE, raising=False)
    packages.enable()
    assert sys.path == before
