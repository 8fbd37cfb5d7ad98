"""The generated pages are what the code says today."""

import pytest

from operations.commands.reference import DOCS, PAGES


@pytest.mark.parametrize("name", PAGES)
def test_page_is_up_to_date(name: str) -> None:
    current = PAGES[name]().rstrip("\n") + "\n"
    assert (DOCS / name).read_text() == current, "run: python -m operations.commands.reference"


def test_no_schema_is_published_for_a_document_that_does_not_exist() -> None:
    published = {str(path.relative_to(DOCS)) for path in (DOCS / "schemas").glob("*.json")}
    assert published == {name for name in PAGES if name.startswith("schemas/")}
