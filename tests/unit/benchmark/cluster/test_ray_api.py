"""What Ray's API answers, in words for people."""

from __future__ import annotations

import pytest
import requests

from benchmark.cluster.ray_api import RayClient
from benchmark.core.errors import StackError


@pytest.mark.parametrize(
    ("body", "said"), [("<html><h1>503</h1></html>", "head does not answer"), ("busy", "busy")]
)
def test_a_page_of_the_load_balancer_is_told_in_words(
    monkeypatch: pytest.MonkeyPatch, body: str, said: str
) -> None:
    answer = requests.Response()
    answer.status_code, answer._content = 503, body.encode()
    client = RayClient("https://r:1")
    monkeypatch.setattr(client.session, "request", lambda *_, **__: answer)
    with pytest.raises(StackError, match=said) as caught:
        client.jobs()
    assert "<" not in str(caught.value)
