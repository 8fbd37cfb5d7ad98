"""Something that is asked over HTTPS. One that hangs holds up nobody for longer than it may."""

from __future__ import annotations

import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, replace
from http.client import HTTPException

from .settings import FILES

# Bytes of an answer that are read: more is none of ours.
MOST = 1 << 20


@dataclass(frozen=True)
class Answer:
    """`text` is the newest answer and `at` when it came, in seconds since the epoch; None before the first.

    `fault` says why the last attempt brought none; it is empty where it did.
    """

    text: str | None = None
    at: float | None = None
    fault: str = ""


class Source:
    """Asked by one thread at a time: while it hangs, it is not asked again."""

    def __init__(self, ask: Callable[[], str]) -> None:
        self._ask = ask
        self._answer = Answer(fault="it was not asked yet")
        self._asking: threading.Thread | None = None

    def begin(self) -> None:
        """Ask, unless it is being asked."""
        if self._asking is None or not self._asking.is_alive():
            self._asking = threading.Thread(target=self._attempt, daemon=True)
            self._asking.start()

    def answer(self, until: float) -> Answer:
        """The answer; where it has not come by `until`, of the monotonic clock, an older one and why."""
        if self._asking is not None:
            self._asking.join(max(0.0, until - time.monotonic()))
            if self._asking.is_alive():
                return replace(self._answer, fault="no answer in time")
        return self._answer

    def _attempt(self) -> None:
        try:
            self._answer = Answer(self._ask(), time.time())
        except urllib.error.HTTPError as error:
            self._answer = replace(self._answer, fault=f"HTTP {error.code}")
        except urllib.error.URLError as error:
            self._answer = replace(self._answer, fault=str(error.reason))
        except (OSError, HTTPException, ValueError) as error:
            self._answer = replace(self._answer, fault=str(error) or type(error).__name__)


def get(url: str, login: Callable[[], str], form: bytes | None = None, timeout: float = 4.0) -> str:
    """The text at `url`; the certificate and the login are read anew, since both are renewed.

    Raises OSError, HTTPException or ValueError.
    """
    context = ssl.create_default_context(cafile=str(FILES / "ca.crt"))
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # No proxy, and no redirect to anywhere else.
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context), Here()
    )
    request = urllib.request.Request(url, data=form, headers={"Authorization": login()})
    with opener.open(request, timeout=timeout) as answer:
        body: bytes = answer.read(MOST + 1)
    if len(body) > MOST:
        raise ValueError("the answer is too long")
    return body.decode()


class Here(urllib.request.HTTPRedirectHandler):
    """Follows no redirect."""

    def redirect_request(self, *_: object) -> None:
        return None
