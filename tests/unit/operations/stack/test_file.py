"""Reading Pulumi.<stack>.yaml: every outer mistake becomes an issue, and its layout survives Pulumi."""

import time
from pathlib import Path

import pytest
import yaml

from operations.stack.file import drop_salt, layout_kept, merge_layout, read

ROOT = Path(__file__).parents[4]
FULL = """# a comment
config:
  aidc:datacenter:
    network:
      cidr: 10.77.0.0/20            # aligned
    compute:
      nodes: [{name: a, gpus: [0]}]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "Pulumi.dev.yaml"
    path.write_text(text)
    return path


def paths(folder: Path, text: str) -> list[str]:
    write(folder, text)
    return [issue.place for issue in read("dev", folder).issues]


@pytest.mark.parametrize("stack", ["dev", "test"])
def test_the_stacks_in_the_repository_are_valid(stack: str) -> None:
    config, issues = read(stack, ROOT).check(None)
    assert config is not None, issues


def test_a_missing_file_names_those_that_are_there(tmp_path: Path) -> None:
    write(tmp_path, FULL)
    (issue,) = read("other", tmp_path).issues
    assert "dev" in issue.fix


def test_a_name_that_no_stack_may_have_is_told_as_such(tmp_path: Path) -> None:
    write(tmp_path, FULL)
    (issue,) = read("Dev", tmp_path).issues
    assert issue.place == "stack"
    assert "did you mean 'dev'?" in issue.fix
    assert "lower-case" in issue.fix


def test_broken_yaml_is_told_with_its_line(tmp_path: Path) -> None:
    assert paths(tmp_path, "config:\n  a: [1\n  b: 2\n") == ["Pulumi.dev.yaml:3"]


@pytest.mark.parametrize("text", ["just a text", "config: 3", "- a"])
def test_another_shape_is_told(tmp_path: Path, text: str) -> None:
    assert paths(tmp_path, text) == ["Pulumi.dev.yaml"]


def test_an_empty_file_means_all_defaults(tmp_path: Path) -> None:
    write(tmp_path, "")
    config, issues = read("dev", tmp_path).check(None)
    assert config is not None
    assert not issues


def test_a_misspelt_key_is_no_silent_default(tmp_path: Path) -> None:
    write(tmp_path, "config:\n  aidc:datacentre: {}\n")
    (issue,) = read("dev", tmp_path).issues
    assert "aidc:datacenter" in issue.fix


@pytest.mark.parametrize(
    ("key", "fix"),
    [
        ("docker:host", "DOCKER_HOST="),
        ("docker:context", "DOCKER_HOST="),
        ("docker:registryAuth", "DOCKER_HOST="),
        ("docker:config:host", "DOCKER_HOST="),
        ("command:interpreter", "remove it"),
        ("adic:datacenter", "did you mean 'aidc:datacenter'?"),
    ],
)
def test_settings_that_nothing_or_a_provider_alone_reads_are_refused(
    key: str, fix: str, tmp_path: Path
) -> None:
    write(tmp_path, f"config:\n  {key}: unix:///run/other.sock\n")
    (issue,) = read("dev", tmp_path).issues
    assert issue.path == f"config.{key}"
    assert fix in issue.fix


def test_a_seed_in_plain_text_is_refused_without_being_shown(tmp_path: Path) -> None:
    write(tmp_path, "config:\n  aidc:seed: 'c0ffee'\n")
    (issue,) = read("dev", tmp_path).issues
    assert "c0ffee" not in str(issue)


def test_a_name_that_is_a_path_is_refused(tmp_path: Path) -> None:
    assert [i.path for i in read("../dev", tmp_path).issues] == ["stack"]


def test_a_faulty_section_leaves_the_others_readable(tmp_path: Path) -> None:
    write(tmp_path, FULL.replace("10.77.0.0/20", "nowhere"))
    file = read("dev", tmp_path)
    assert file.network() is None
    assert file.load_balancer() is not None


def test_gpus_are_seen_even_where_the_rest_is_faulty(tmp_path: Path) -> None:
    write(tmp_path, FULL.replace("name: a", "nome: a"))
    assert read("dev", tmp_path).gpus() == [0]


def test_only_new_lines_change_the_layout() -> None:
    # What Pulumi writes: comments closer, keys added.
    after = FULL.replace("/20            #", "/20 #") + "  aidc:issued: '2026-01-02'\nencryptionsalt: v1:x\n"
    merged = merge_layout(FULL, after)
    assert merged.startswith(FULL)
    assert yaml.safe_load(merged) == yaml.safe_load(after)


def test_a_changed_value_is_not_taken_for_layout() -> None:
    after = FULL.replace("10.77.0.0/20            #", "10.78.0.0/20 #")
    assert yaml.safe_load(merge_layout(FULL, after)) == yaml.safe_load(after)


def test_taking_the_keys_away_again_gives_the_old_file(tmp_path: Path) -> None:
    path = write(tmp_path, FULL + "  aidc:issued: '2026-01-02'\nencryptionsalt: v1:x\n")
    with layout_kept(path):
        path.write_text(FULL.replace("/20            #", "/20 #") + "encryptionsalt: v1:x\n")
    drop_salt(path)
    assert path.read_text() == FULL


def test_the_salt_stays_while_a_secret_needs_it(tmp_path: Path) -> None:
    text = "config:\n  a:b:\n    secure: v1:y\nencryptionsalt: v1:x\n"
    path = write(tmp_path, text)
    drop_salt(path)
    assert path.read_text() == text


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-28",
        '"30.11.2026"',
        '"2026-02-30"',
        '"2999-01-01"',
        '"0001-01-01"',
        '"20261128"',
        "{secure: x}",
        "5",
        '""',
    ],
)
def test_a_date_of_issue_that_is_none_is_refused(tmp_path: Path, value: str) -> None:
    if value == '""':
        value = '" "'
    assert [
        p for p in paths(tmp_path, f"config:\n  aidc:issued: {value}\n") if "issued" in p or p.endswith(":2")
    ]


def test_certificates_are_not_renewed_before_they_were_issued(tmp_path: Path) -> None:
    text = 'config:\n  aidc:issued: "2026-03-01"\n  aidc:renewed: "2026-02-01"\n'
    assert paths(tmp_path, text) == ["config.aidc:renewed"]


def test_a_key_that_pulumi_would_delete_is_refused(tmp_path: Path) -> None:
    (issue,) = paths(tmp_path, "x-note: keep me\nconfig: {}\n")
    assert issue == "Pulumi.dev.yaml: x-note"


def test_a_name_with_a_line_end_is_no_name(tmp_path: Path) -> None:
    assert [i.path for i in read("dev\n", tmp_path).issues] == ["stack"]


@pytest.mark.parametrize(
    ("stack", "near"),
    [("deev", "did you mean 'dev'? stacks here: dev, test;"), ("prod", "stacks here: dev, test;")],
)
def test_a_misspelt_stack_is_told_the_near_one_and_all_others(stack: str, near: str, tmp_path: Path) -> None:
    write(tmp_path, FULL)
    (tmp_path / "Pulumi.test.yaml").write_text(FULL)
    (issue,) = read(stack, tmp_path).issues
    assert stack in issue.fault
    assert issue.fix.startswith(near)


@pytest.mark.parametrize("key", ["aidc:seed", "aidc:alerts-webhook", "aidc:alerts-email"])
@pytest.mark.parametrize("value", ["hunter2", "20261129", "2026-11-29", "[a]", "{secure: 5}"])
def test_a_secret_in_plain_text_is_refused_whatever_yaml_takes_it_for(
    tmp_path: Path, key: str, value: str
) -> None:
    assert f"config.{key}" in paths(tmp_path, f"config:\n  {key}: {value}\n")


def test_an_encrypted_secret_is_accepted(tmp_path: Path) -> None:
    assert not paths(tmp_path, "config:\n  aidc:alerts-email:\n    secure: v1:abc\n")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"config: {}\n#" + b"x" * 2**18, "it has more than 256 KiB"),
        ("config: {}".encode("utf-16"), "is not UTF-8 text"),
        (b"config:\0", "unacceptable character #x0000"),
        (b"encryptionsalt: [1]\nconfig: {}", "encryptionsalt: is not text"),
    ],
)
def test_what_no_reader_can_use_is_told_in_one_line(content: bytes, fault: str, tmp_path: Path) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_bytes(content)
    (issue,) = read("dev", tmp_path).issues
    assert fault in f"{issue.place}: {issue.fault}"
    assert "\n" not in issue.fault


def test_the_largest_file_with_a_mistake_in_each_line_is_judged_in_seconds(tmp_path: Path) -> None:
    lines = "".join(f"    key{number:06d}: 1\n" for number in range(14_000))
    write(tmp_path, f"config:\n  aidc:datacenter:\n{lines}")
    began = time.process_time()
    _, issues = read("dev", tmp_path).check(None)
    assert len(issues) == 14_000
    assert time.process_time() - began < 20, "on a busy machine; four seconds on a quiet one"
