"""A near name is suggested, and only a near one."""

import pytest

from operations.suggest import suggest


@pytest.mark.parametrize(
    ("name", "said"),
    [("deev", "did you mean 'dev'?"), ("tset", "did you mean 'test'?"), ("production", "none")],
)
def test_only_a_near_name_is_suggested(name: str, said: str) -> None:
    assert suggest(name, {"dev", "test"}, "none") == said
