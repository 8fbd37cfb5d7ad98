"""Mistakes in workload files: each is told with file and place, before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmark.core.config import WORKLOADS_DIR, load, load_all
from benchmark.core.errors import ConfigError
from tests.unit.benchmark.conftest import TESTDATA

VALID = (TESTDATA / "valid-workload.yaml").read_text()
MISTAKES = {
    "optimiser.learning_rate": [".inf", ".nan", "0", "true", "-1"],
    "optimiser.betas": ["[1.0, 1.0]", "[0.9, 1]", "[0.9]", "[true, 0.5]"],
    "target.value": ["95", ".inf", "true", "0"],
    "serving.p99_bound_ms": [".inf", "yes"],
    "serving.tolerance": [".inf", "2", "true"],
    "serving.rates": ["[.inf]", "[0]", "[1.0e-9]", "[]"],
    "serving.samples": ["true", "0", "3000"],
    "seeds": ["[18446744073709551616]", "[true]", "[-1]", "[1, 1]"],
    "data.seed": ["-1", "true", "36893488147419103232"],
    "training.steps": ["true", "1.5", "0"],
    "training.batch_size": ["5000", "no"],
    "training.clip_gradient": [".inf", "on"],
}
UNREADABLE = {
    "a key twice": ("seeds: [1]\nseeds: [2]", "line 2: seeds: is given twice"),
    "a key twice, deep": ("training: {steps: 1, steps: 2}", "line 1: steps: is given twice"),
    "an impossible date": ("title: 2026-02-30", "line 1: 2026-02-30: is not a valid timestamp"),
    "no digits": ("seeds: [0x_]", "line 1: 0x_: is not a valid int"),
    "5,000 digits": ("seeds: [" + "9" * 5000 + "]", "(5000 characters): is not a valid int"),
    "a tag that does not fit": ('seeds: !!int "x"', "line 1: x: is not a valid int"),
    "a time that is none": ("title: !!timestamp x", "line 1: x: is not a valid timestamp"),
    "a truth that is none": ("title: !!bool x", "line 1: x: is not a valid bool"),
    "base 60": ("training:\n  steps: 1:30", "line 2: 1:30: YAML reads this as a number in base 60"),
    "3,000 brackets": ("[" * 3000, "is nested too deeply"),
    "a tab": ("a:\n\t- 1", "line 2: is not YAML"),
}


def write(folder: Path, field: str, value: str) -> Path:
    content: dict[str, Any] = yaml.safe_load(VALID)
    part, _, name = field.partition(".")
    if name:
        content[part][name] = yaml.safe_load(value)
    else:
        content[part] = yaml.safe_load(value)
    content["tiers"] = {"smoke": {}}
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def problems(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(path, "smoke")
    return caught.value.problems


@pytest.mark.parametrize(("field", "value"), [(f, v) for f, values in MISTAKES.items() for v in values])
def test_a_number_that_means_nothing_is_refused_with_its_field(
    tmp_path: Path, field: str, value: str
) -> None:
    told = problems(write(tmp_path, field, value))
    assert all(line.startswith(f"{tmp_path / 'own.yaml'}: ") for line in told)
    part, _, name = field.partition(".")
    assert any(part in line and name in line for line in told), told


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_yaml_cannot_make_of_a_file_is_told_with_its_line(tmp_path: Path, name: str) -> None:
    text, words = UNREADABLE[name]
    path = tmp_path / "own.yaml"
    path.write_text(text)
    assert words in "\n".join(problems(path))


def test_all_that_yaml_says_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("title: 2026-02-30\nseeds: [1]\nseeds: [0x_]\n")
    assert len(problems(path)) == 3


def test_a_tag_without_its_value_is_explained(tmp_path: Path) -> None:
    """PyYAML fails with an IndexError of its own there."""
    path = tmp_path / "own.yaml"
    path.write_text("seeds: !!int\n")
    assert "line 1" in problems(path)[0]


JUNK = ("[", "{", "0x_", "2026-02-30", ".inf", "- ", ": ", "!!int ", "&a ", "*a", "1:30", "true", "<<: ",
        "\t", "'", "#", "\u00a0", "9" * 5000)  # fmt: skip


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_written_is_a_workload_or_an_explained_mistake(
    tmp_path: Path, data: st.DataObject
) -> None:
    lines = VALID.splitlines()
    number = data.draw(st.integers(0, len(lines) - 1))
    at = data.draw(st.integers(0, len(lines[number])))
    junk = data.draw(st.sampled_from(JUNK))
    lines[number] = lines[number][:at] + junk + lines[number][at:]
    path = tmp_path / "own.yaml"
    path.write_text("\n".join(lines))
    told: list[str] = []
    try:
        load(path, "smoke")
    except ConfigError as error:
        told = error.problems
    assert all(line.startswith(f"{path}: ") for line in told)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("optimiser", "{kind: adamm, learning_rate: 0.1}", "did you mean 'adamw'?"),
        ("optimiser", "{kind: adamw, lerning_rate: 0.1}", "did you mean 'learning_rate'?"),
        ("data", "{source: gausians, train: 10, heldout: 10}", "did you mean 'gaussians'?"),
        ("model", "{kind: mpl}", "did you mean 'mlp'?"),
        ("data", "{source: module, module: wine, inputs: 10, outputs: 1, optoins: {}}", "mean 'options'?"),
        ("trainning", "{}", "did you mean 'training'?"),
    ],
)
def test_a_near_miss_is_told(tmp_path: Path, field: str, value: str, words: str) -> None:
    assert words in "\n".join(problems(write(tmp_path, field, value)))


def test_a_tier_that_is_nearly_one_is_told(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(VALID + "  relase: {}\n")
    assert "did you mean 'release'?" in "\n".join(problems(path))


def test_one_mistake_does_not_hide_that_others_do_not_fit_together(tmp_path: Path) -> None:
    path = write(tmp_path, "optimiser", "{kind: adamm, learning_rate: 0.1}")
    path.write_text(path.read_text().replace("inputs: 10", "inputs: 12"))
    told = "\n".join(problems(path))
    assert "optimiser.kind" in told
    assert "model.inputs and model.outputs must be 10 and 1 for this data" in told


def test_a_name_that_is_nearly_a_workload_is_told_with_all_there_are() -> None:
    with pytest.raises(ConfigError) as caught:
        load_all([WORKLOADS_DIR / "mpl.yaml", WORKLOADS_DIR / "digit.yaml"], "smoke")
    first, second = caught.value.problems
    assert "'mpl': no such workload; did you mean 'mlp'? (there are bytelm, digits, mlp;" in first
    assert "did you mean 'digits'?" in second


def test_a_workload_is_named_once() -> None:
    with pytest.raises(ConfigError, match="'mlp' is named twice"):
        load_all([WORKLOADS_DIR / "mlp.yaml"] * 2, "smoke")


def test_one_workload_at_least_is_named() -> None:
    with pytest.raises(ConfigError, match="give at least one: bytelm, digits, mlp"):
        load_all([], "smoke")
