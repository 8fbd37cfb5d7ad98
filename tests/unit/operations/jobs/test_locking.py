"""Why packages cannot be locked, in words of ours made of those of uv, which are given as it writes them."""

from __future__ import annotations

import pytest

from components.planning.paths import ROOT
from operations.jobs import locking
from operations.jobs.locking import explained, plain, together, unreachable
from operations.jobs.requirements import typed

HEAD = "error: No solution found when resolving dependencies\n  cause: "
END = "we can conclude that your requirements are unsatisfiable.\n"
SAID = {
    "nosuch": f"Because nosuch was not found in the package registry and you require nosuch, {END}",
    "pyspark": f"Because all versions of pyspark have no usable wheels and you require pyspark, {END}\n"
    "hint: Wheels are required for `pyspark` because building from source is disabled",
    "tensorflow==2.10": "Because tensorflow==2.10.0 has no wheels with a matching Python ABI tag (e.g., "
    f"`cp313`) and you require tensorflow==2.10, {END}",
    "rich>=99": f"Because only rich<=15.0.0 is available and you require rich>=99, {END}",
    "rich==99": f"Because there is no version of rich==99 and you require rich==99, {END}",
}
FAULTS = {
    "nosuch": "nosuch: there is no package 'nosuch'",
    "pyspark": "pyspark: no wheel for Python 3.13 on ",
    "tensorflow==2.10": "tensorflow==2.10: no wheel for Python 3.13 on ",
    "rich>=99": "rich>=99: there is no such version; there is rich<=15.0.0",
    "rich==99": "rich==99: there is no such version",
}
REFUSED = """error: Request failed after 3 retries in 8.5s
  cause: Failed to fetch: https://u:geheim@index.example/simple/six/
  cause: error sending request for url (https://u:geheim@index.example/simple/six/)
"""


@pytest.mark.parametrize("name", SAID)
def test_each_reason_has_words_of_its_own(name: str) -> None:
    (one,), _ = typed(name)
    assert explained(one, HEAD + SAID[name]).fault.startswith(FAULTS[name])


def test_an_index_that_does_not_answer_is_told_without_its_address() -> None:
    (one,), _ = typed("six")
    assert unreachable(REFUSED)
    text = str(explained(one, REFUSED))
    assert "the package index does not answer" in text
    assert not {"geheim", "index.example"} & set(text.replace("@", " ").replace("/", " ").split())


def test_a_conflict_names_what_the_image_has() -> None:
    said = (
        "Because lightning==1.9.5 depends on websockets<12.0 and websockets==17.4, we can conclude that "
        f"lightning==1.9.5 cannot be used.\n         And because you require lightning==1.9.5, {END}"
    )
    wanted, _ = typed("lightning==1.9.5")
    issue = together(wanted, HEAD + said, {"websockets": "17.4", "torch": "2.13.0"})
    assert "lightning==1.9.5 depends on websockets<12.0" in issue.fault
    assert issue.fix.startswith("the compute image has websockets 17.4, which is not replaced")
    assert "torch" not in str(issue)


def test_words_are_one_line_without_hints() -> None:
    assert plain(f"{HEAD}Because a==1 is old\n   and b.\n\nhint: try c") == "a==1 is old and b."


def test_the_python_of_the_lock_is_that_of_the_image_s() -> None:
    script = (ROOT / "toolchain" / "lock.sh").read_text()
    image = script[script.index("cd images/compute") :]
    assert f"--python-version {locking.PYTHON} " in image
