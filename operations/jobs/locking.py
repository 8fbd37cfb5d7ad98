"""Resolving a job's packages against what the compute image has. Effects: runs uv, which asks the index.

The index's address is the user's affair (uv's own settings); it is in no message of ours.
"""

from __future__ import annotations

import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from components.planning.issues import Issue
from components.planning.paths import ROOT
from operations.errors import OperationError
from operations.jobs.requirements import Wanted, pins

IMAGE_LOCK = ROOT / "images" / "compute" / "requirements.txt"
# Python and glibc of the compute image, Debian trixie.
PYTHON, GLIBC = "3.13", "2_40"
LIMIT_S = 600
UNREACHABLE = ("failed to fetch", "request failed", "error sending request", "dns error", "timed out")
WHEELS = (
    "only wheels are taken, as building a package would run its code on this machine: choose a version that "
    "has one, or take the package's source along in WORKDIR"
)
INDEX_FIX = (
    "check the network, a proxy and uv's settings (UV_DEFAULT_INDEX); requirements that were resolved once "
    "need no index"
)


def target() -> str:
    """The platform of the nodes, as uv names it: this machine's processor, with the image's glibc."""
    machine = {"arm64": "aarch64", "amd64": "x86_64"}.get(platform.machine().lower(), platform.machine())
    return f"{machine}-manylinux_{GLIBC}"


def resolve(wanted: Sequence[Wanted]) -> tuple[str, list[Issue]]:
    """The whole lock, packages of the image included, or every reason why there is none."""
    code, output, error = _compile(wanted)
    if code == 0:
        return output, []
    if unreachable(error):
        return "", [Issue("PIP", f"the package index does not answer: {_last(error)}", INDEX_FIX)]
    with ThreadPoolExecutor(max_workers=4) as pool:
        alone = list(pool.map(lambda one: _compile([one], "--no-deps"), wanted))
    issues = [explained(one, text) for one, (failed, _, text) in zip(wanted, alone, strict=True) if failed]
    return "", issues or [together(wanted, error, pins(IMAGE_LOCK.read_text()))]


def explained(one: Wanted, error: str) -> Issue:
    """Why a requirement cannot be met by itself, from uv's own words."""
    if unreachable(error):
        return Issue(one.place, f"{one}: the package index does not answer: {_last(error)}", INDEX_FIX)
    text = plain(error)
    if "was not found in the package registry" in text:
        fix = "check the spelling; the index knows no such name"
        return Issue(one.place, f"{one}: there is no package {one.name!r}", fix)
    if "no usable wheels" in text or "no wheels with a matching" in text:
        what = f"no wheel for Python {PYTHON} on {target().split('-')[0]} Linux"
        return Issue(one.place, f"{one}: {what}", WHEELS)
    if found := re.search(r"only (?:the following versions of )?(.{1,200}?) (?:is|are) available", text):
        return Issue(one.place, f"{one}: there is no such version; there is {found[1]}", "choose another one")
    if "there is no version of" in text or "there are no versions of" in text:
        return Issue(one.place, f"{one}: there is no such version", "choose another one")
    return Issue(one.place, f"{one}: {text}", "choose another version")


def together(wanted: Sequence[Wanted], error: str, image: dict[str, str]) -> Issue:
    """Why requirements that can each be met cannot be met together, beside what the image has."""
    text = plain(error)
    fixed = [name for name in image if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text)]
    asked = {one.name for one in wanted}
    has = ", ".join(f"{name} {image[name]}" for name in fixed if name not in asked)
    fault = f"cannot be installed together: {text}"
    fix = f"the compute image has {has}, which is not replaced; " if has else ""
    return Issue("PIP", fault, f"{fix}allow other versions, or leave them out")


def unreachable(error: str) -> bool:
    return any(words in error.lower() for words in UNREACHABLE)


def plain(error: str) -> str:
    """The causes that uv names, in one line, without its hints and without addresses."""
    causes = re.split(r"\n\s*\n|^hint:", error, maxsplit=1, flags=re.MULTILINE)[0]
    text = " ".join(causes.replace("error: No solution found when resolving dependencies", "").split())
    text = re.sub(r"[,;]? ?(and )?we can conclude that your requirements are unsatisfiable\.?", "", text)
    return _without_addresses(text.replace("cause: ", "").replace("Because ", "", 1)).strip()[:1500]


def _last(error: str) -> str:
    lines = [line.strip().removeprefix("cause: ") for line in error.splitlines() if line.strip()]
    return _without_addresses(lines[-1] if lines else "uv says nothing")[:200]


def _without_addresses(text: str) -> str:
    return re.sub(r"\(?https?://[^\s`)]+\)?", "the index", text)


def _compile(wanted: Sequence[Wanted], *more: str) -> tuple[int, str, str]:
    command = ["compile", "--quiet", "--generate-hashes", "--no-emit-index-url", "--no-header"]
    command += ["--no-annotate", "--constraints", str(IMAGE_LOCK), *more, "-"]
    return uv(command, "".join(f"{one}\n" for one in wanted))


def uv(arguments: Sequence[str], given: str = "") -> tuple[int, str, str]:
    """Run `uv pip` for the nodes' platform, wheels only: exit code and both outputs."""
    first, *rest = arguments
    command = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        first,
        "--python-version",
        PYTHON,
        "--python-platform",
        target(),
    ]
    # In a folder of its own: settings of the project that a user stands in are not meant.
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(
                [*command, "--only-binary", ":all:", *rest], input=given, capture_output=True, text=True,
                errors="replace", cwd=Path(folder), timeout=LIMIT_S, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise OperationError(
                f"the package index: not done after {LIMIT_S} s\n    fix: {INDEX_FIX}"
            ) from None
    return done.returncode, done.stdout, done.stderr
