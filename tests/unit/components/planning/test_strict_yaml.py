"""YAML is accepted where all parsers agree on it, and refused with its line elsewhere; nothing is raised."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from components.planning.strict_yaml import parse

AMBIGUOUS = [
    *("2026-11-28", "2026-02-30", "2026-11-01 10:00:00", "1:30", "157:23", "-1:30:00", "190:20:30.15"),
    *("yes", "No", "ON", "off", "y", "N", "nUll", "010", "0o17", "0x1F", "0b11", "0x_", "1_000", "09"),
    *("1e3", "1.5e3", "1.0e+3", ".5", "5.", "+5", ".inf", "-.INF", ".nan", "=", "9" * 5000),
    *("!!int 'x'", "!!str 5", "!!timestamp x", "!!bool x", "!!binary aGk=", "!local x", "!!set {a}"),
]
PLAIN = {
    "5": 5, "-3": -3, "0": 0, "0.5": 0.5, "10.25": 10.25, "true": True, "False": False, "~": None,
    "null": None,
    "4GiB": "4GiB", "10.77.0.0/20": "10.77.0.0/20", "127.0.0.1": "127.0.0.1", "node1": "node1",
    '"2026-11-28"': "2026-11-28", "'1:30'": "1:30", "0 3 * * 1-5": "0 3 * * 1-5", "v1:ab+/=": "v1:ab+/=",
}  # fmt: skip


@pytest.mark.parametrize("text", AMBIGUOUS, ids=lambda t: t[:20])
def test_what_readers_disagree_on_is_refused_with_its_line(text: str) -> None:
    (issue,) = parse(f"config:\n  aidc:x:\n    key: {text}\n", "f.yaml").issues
    assert issue.place == "f.yaml:3"
    assert "quotes" in issue.fix or "tag" in issue.fault


@pytest.mark.parametrize("text", PLAIN)
def test_what_readers_agree_on_is_read(text: str) -> None:
    document = parse(f"key: {text}\n", "f.yaml")
    assert not document.issues
    assert document.value == {"key": PLAIN[text]}
    assert type(document.value["key"]) is type(PLAIN[text])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: 2\na: 3\n", 3),
        ("a: &x 1\nb: *x\n", 2),
        ("a: &x {b: 1}\nc: {<<: *x}\n", 2),
        ("a: &x [*x]\n", 1),
        ("5: a\n", 1),
        ("yes: a\n", 1),
        ("? [a]\n: b\n", 1),
        ("a: 1\n---\nb: 2\n", 2),
        ("a: [1\nb: 2\n", 2),
        ("a: 1\nb: *nobody\n", 2),
        ('a: 1\n"b\\nc": 2\n', 2),
        ('a: 1\n"\\e[2J": 2\n', 2),
        ('a: 1\n"\\ud800": 2\n', 2),
    ],
)
def test_what_would_be_lost_or_read_twice_is_refused_with_its_line(text: str, line: int) -> None:
    (issue, *_more) = parse(text, "f.yaml").issues
    assert issue.place == f"f.yaml:{line}"


@pytest.mark.parametrize("text", ['a: {"\\e[2J": {b: yes}}\n', "a: !<%1b[2J> x\n"])
def test_what_a_terminal_would_obey_is_shown_escaped(text: str) -> None:
    document = parse(text, "f.yaml")
    assert document.issues
    assert all("\x1b" not in str(issue) for issue in document.issues)
    assert "\x1b" not in str(document.value)


def test_each_line_with_aliases_is_told_of_once() -> None:
    assert len(parse("a: &x 1\nb: [*x, *x, *x]\n", "f.yaml").issues) == 1


@pytest.mark.parametrize("text", ["[" * 3000, "{a: " * 3000, "[" * 150 + "]" * 150, "\x00", "a: \ud800"])
def test_hostile_texts_are_told_and_raise_nothing(text: str) -> None:
    assert parse(text, "f.yaml").issues


def test_an_alias_bomb_is_refused_at_once() -> None:
    levels = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 12))
    assert parse(f"l0: &l0 [x]\n{levels}\n", "f.yaml").issues


def test_keys_of_another_name_space_are_not_looked_into() -> None:
    text = "config:\n  other:when: 2026-11-28\n  aidc:issued: 2026-11-28\n"
    (issue,) = parse(text, "f.yaml", own="aidc:").issues
    assert issue.place == "f.yaml:3"


SCALARS = st.one_of(
    st.text("0123456789.:-+_eExobTZ ~<=", min_size=1, max_size=8),
    st.sampled_from([*AMBIGUOUS, *PLAIN]),
    st.text(max_size=6),
)


@settings(max_examples=1000, deadline=None)
@given(text=SCALARS)
def test_whatever_is_accepted_our_own_library_reads_alike(text: str) -> None:
    source = f"key: {text}\n"
    document = parse(source, "f.yaml")
    if not document.issues:
        assert document.value == yaml.safe_load(source)
