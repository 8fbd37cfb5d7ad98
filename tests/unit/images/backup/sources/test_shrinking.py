"""Whether compression is tried at all: on data that gets smaller, and where nothing is known."""

import random

import pytest

from images.backup.keeper.sources.shrinking import Sampled, Shrinking

NOISE = random.Random(7).randbytes(2**20)
TEXT = b"step 1 loss 0.25\n" * 60000
MIB = 2**20


def share(*parts: bytes) -> float:
    sampled = Sampled()
    for part in parts:
        sampled.look(part)
    return sampled.share


def mode(*found: tuple[int, float]) -> str:
    shrinking = Shrinking()
    for size, saved in found:
        shrinking.add(size, saved)
    return shrinking.mode


def test_noise_does_not_shrink_and_text_does() -> None:
    assert share(NOISE) < 0.01
    assert share(TEXT) > 0.9


def test_parts_in_the_middle_of_an_object_count() -> None:
    header = [TEXT, *[NOISE] * 16]
    assert 0.2 < share(*header) < 0.4  # one of three samples


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([], "auto"),
        ([(0, 0.0)], "auto"),
        ([(100 * MIB, 0.0)], "off"),
        ([(100 * MIB, 0.0), (MIB, 0.9)], "off"),
        ([(100 * MIB, 0.0), (10 * MIB, 0.9)], "auto"),
        ([(100 * MIB, 0.02)], "auto"),
    ],
)
def test_it_is_tried_where_it_saves_something_of_the_whole(
    found: list[tuple[int, float]], expected: str
) -> None:
    assert mode(*found) == expected
