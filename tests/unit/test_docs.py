"""The generated pages are what the code says today."""

import pytest

from operations.commands.reference import DOCS, PAGES


@pytest.mark.parametrize("name", PAGES)
def test_page_is_up_to_date(name: str) -> None:
    current = PAGES[name]().rstrip("\n") + "\n"
    assert (DOCS / name).read_text() == current, "run: python -m operations.commands.reference"
