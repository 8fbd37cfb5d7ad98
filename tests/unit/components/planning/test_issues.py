"""One form for every mistake, in several lines for people and in one for reports."""

from components.planning.issues import ConfigError, Issue, suggest

ISSUE = Issue.at("policies/waivers.yaml:7", "owner", "is missing", "add it")


def test_a_place_is_a_file_and_a_line() -> None:
    assert (ISSUE.path, ISSUE.line, ISSUE.place) == ("policies/waivers.yaml", 7, "policies/waivers.yaml:7")


def test_a_place_may_be_a_path_alone() -> None:
    issue = Issue.at("aidc:datacenter", "", "is not a mapping", "write one")
    assert (issue.path, issue.line, issue.place) == ("aidc:datacenter", None, "aidc:datacenter")


def test_an_issue_says_place_fault_and_fix() -> None:
    assert ISSUE.sentence == "policies/waivers.yaml:7: owner: is missing. Fix: add it"
    assert str(ISSUE) == "policies/waivers.yaml:7: owner: is missing\n    fix: add it"


def test_an_error_counts_and_lists_its_issues() -> None:
    error = ConfigError([ISSUE, Issue("stack", "is empty", "name one")], "in the settings")
    assert str(error).splitlines() == [
        "2 mistakes in the settings",
        "  policies/waivers.yaml:7: owner: is missing",
        "    fix: add it",
        "  stack: is empty",
        "    fix: name one",
    ]


def test_an_error_without_a_heading_is_its_issues() -> None:
    assert str(ConfigError([ISSUE], where="")) == str(ISSUE)


def test_a_near_miss_is_suggested() -> None:
    assert suggest("ownr", ["owner", "rule"], "remove it") == "did you mean 'owner'?"
    assert suggest("xyz", ["owner", "rule"], "remove it") == "remove it"
