"""What a job asks for, judged without the package index."""

from __future__ import annotations

import pytest

from operations.jobs import requirements
from operations.jobs.requirements import Wanted, added, conflicts, key, listed, of_given_hashes, typed

HASH = "a" * 64
OTHER = "b" * 64


def wanted(text: str) -> list[Wanted]:
    found, issues = typed(text)
    assert not issues
    return found


def test_words_are_requirements() -> None:
    found = wanted("rich 'lightning>=2, <3' Foo_Bar[all]==1")
    assert [str(one) for one in found] == ["rich", "lightning<3,>=2", "Foo_Bar[all]==1"]
    assert found[2].name == "foo-bar"


def test_a_file_has_comments_hashes_and_long_lines() -> None:
    text = f"# all\nrich==1 \\\n    --hash=sha256:{HASH} \\\n    --hash=sha256:{OTHER}\n\nhttpx  # web\n"
    found, issues = listed("r.txt", text)
    assert not issues
    assert [(one.place, str(one), len(one.hashes)) for one in found] == [
        ("REQUIREMENTS: r.txt:2", "rich==1", 2),
        ("REQUIREMENTS: r.txt:6", "httpx", 0),
    ]


def test_all_mistakes_are_named_at_once_and_no_password() -> None:
    text = (
        "--index-url https://me:geheim@index\n-r more.txt\n./wheel.whl\na @ https://u:geheim@h/a.whl\n1!!\n"
    )
    text += "git+https://u:geheim@h/x\n"
    found, issues = listed("r.txt", text)
    assert not found
    assert [issue.path for issue in issues] == [f"REQUIREMENTS: r.txt:{n}" for n in (1, 2, 3, 4, 5, 6)]
    assert "geheim" not in "".join(map(str, issues))
    assert "the option --index-url is not taken" in issues[0].fault


@pytest.mark.parametrize("text", ["", "  ", "'"])
def test_nothing_and_half_a_word_are_refused(text: str) -> None:
    assert [issue.path for issue in typed(text)[1]] == ["PIP"]


def test_a_file_without_packages_is_refused() -> None:
    assert [issue.fault for issue in listed("r.txt", "# none\n")[1]] == ["names no package"]


def test_too_many_are_refused() -> None:
    assert "201 packages" in typed(" ".join(f"p{n}" for n in range(201)))[1][0].fault


def test_what_excludes_the_image_s_version_names_both() -> None:
    image = {"torch": "2.13.0", "numpy": "2.4.6"}
    (issue,) = conflicts(wanted("Torch<2 numpy>=2 rich"), image)
    assert issue.fault == "Torch<2 excludes torch 2.13.0, which the compute image has"


def test_the_key_does_not_depend_on_the_order_but_on_all_else() -> None:
    first = key(wanted("a b==1"), "image", "x86")
    assert key(wanted("b==1 a"), "image", "x86") == first
    others = [(wanted("b==2 a"), "image", "x86"), (wanted("a b==1"), "other", "x86")]
    others += [
        (wanted("a b==1"), "image", "arm"),
        (listed("r", f"a\nb==1 --hash=sha256:{HASH}")[0], "image", "x86"),
    ]
    assert first not in {key(*other) for other in others}


LOCK = f"""numpy==2.4.6 \\
    --hash=sha256:{OTHER}
rich==15.0.0 \\
    --hash=sha256:{HASH} \\
    --hash=sha256:{OTHER}
"""


def test_a_lock_keeps_what_the_image_lacks() -> None:
    assert requirements.pins(LOCK) == {"numpy": "2.4.6", "rich": "15.0.0"}
    assert list(added(LOCK, {"numpy": "2.4.6"})) == ["rich"]
    assert (
        of_given_hashes(added(LOCK, {"numpy": "2.4.6"}), [])[0]
        == LOCK.partition("\n    ")[2].partition("\n")[2]
    )


def test_given_hashes_are_kept_alone() -> None:
    found, _ = listed("r.txt", f"rich --hash=sha256:{HASH}")
    lock, issues = of_given_hashes(added(LOCK, {"numpy": "2.4.6"}), found)
    assert not issues
    assert lock == f"rich==15.0.0 \\\n    --hash=sha256:{HASH}\n"


def test_hashes_that_the_index_does_not_have_are_refused() -> None:
    found, _ = listed("r.txt", f"rich --hash=sha256:{'c' * 64}")
    _, issues = of_given_hashes(added(LOCK, {}), found)
    assert [issue.fault for issue in issues] == ["no file of rich==15.0.0 has one of the given hashes"]
