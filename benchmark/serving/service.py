"""From a request to its answer, whatever the bytes: no body is read in vain, and no exception escapes."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import torch

from benchmark.serving.batches import Answer, Stream, compute, content, refused
from benchmark.serving.generating import Generation, events, pieces, together
from benchmark.serving.requests import RequestError
from benchmark.serving.work import Backlog, Call

if TYPE_CHECKING:
    from benchmark.serving.app import Router


class Service:
    """Requests in, answers out; knows nothing of Ray, so that it is tested without it.

    The model computes in one thread of its own, so that a replica answers health checks meanwhile.
    """

    def __init__(self, router: Router, threads: int = 1) -> None:
        self.router, self.backlog = router, Backlog()
        # Each thread has its own number of threads for the model's operations.
        self.worker = ThreadPoolExecutor(1, "model", lambda: torch.set_num_threads(threads))

    async def answer(
        self,
        method: str,
        path: str,
        body: Callable[[], Awaitable[bytes]],
        predict: Callable[[Call], Awaitable[Answer]],
    ) -> Answer | Stream:
        """`body` reads it, once it is known that one is wanted; `predict` queues for a batch."""
        begin = time.perf_counter()
        found: Answer | Stream
        version = ""
        try:
            if page := self.router.page(method, path):
                found = Answer(200, page[1].encode(), page[0])
            else:
                self.router.find(method, path)
                asked = self.router.route(method, path, await body())
                version = (asked.call if isinstance(asked, Generation) else asked).version
                if isinstance(asked, Generation):
                    found = await self._generated(asked)
                else:
                    found = await self._predicted(asked, predict)
        except RequestError as error:
            found = refused(error)
        except Exception:  # a fault of ours must not look like silence
            traceback.print_exc()
            found = content({"error": "internal error"}, 500)
        taken = time.perf_counter() - begin
        self.router.metrics.answered(self.router.known(path), found.status, taken, version)
        return found

    async def _predicted(self, asked: Call, predict: Callable[[Call], Awaitable[Answer]]) -> Answer:
        self.backlog.admit(asked)
        try:
            return await predict(asked)
        except asyncio.CancelledError:
            asked.left = True  # nobody waits for it: it is not computed
            raise
        finally:
            self.backlog.forget(asked)

    async def _generated(self, asked: Generation) -> Answer | Stream:
        self.backlog.admit(asked.call)
        found = pieces(asked, self.worker, self.router.metrics)
        if asked.asked.stream:
            return Stream(events(self._until_its_end(asked, found)))
        return content(await together(self._until_its_end(asked, found)))

    async def _until_its_end(
        self, asked: Generation, found: AsyncGenerator[dict[str, Any]]
    ) -> AsyncGenerator[dict[str, Any]]:
        try:
            async with aclosing(found):
                async for piece in found:
                    yield piece
        finally:
            self.backlog.forget(asked.call)

    async def batch(self, calls: Sequence[Call]) -> list[Answer]:
        """Compute several calls, off the event loop and after the batch before."""
        return await asyncio.get_running_loop().run_in_executor(self.worker, self._compute, list(calls))

    def _compute(self, calls: list[Call]) -> list[Answer]:
        begin = time.perf_counter()
        self.backlog.begin(c for c in calls if not c.left)
        try:
            return compute(calls, self.router.metrics)
        finally:
            self.backlog.end(time.perf_counter() - begin)
