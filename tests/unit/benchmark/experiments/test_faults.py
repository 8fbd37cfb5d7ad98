"""Faults: what is killed, when, what a lost job means, and what is kept when there is no recovery."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmark.analysis import recovery, runs
from benchmark.analysis import result as results
from benchmark.analysis.verdicts import recovery as recovery_verdicts
from benchmark.checkpoints import journal
from benchmark.checkpoints.checkpoint import Checkpointer
from benchmark.cluster import injector, launch, ray_api
from benchmark.cluster import stack as stacks
from benchmark.cluster.engine import Engine
from benchmark.cluster.ray_api import LOST, RayClient, final
from benchmark.core import machine
from benchmark.core.config import Workload
from benchmark.core.errors import ConfigError, StackError, UnknownJobError
from benchmark.core.events import EventLog
from benchmark.core.ranks import RankContext
from benchmark.core.store import DirectoryStore
from benchmark.experiments import faults
from benchmark.training import job
from benchmark.training.spec import Spec

NODES = [
    {"name": f"compute-node{n}", "role": "compute", "container": f"aidc-x-compute-node{n}",
     "addresses": {"fabric": f"10.0.0.{n}"}}
    for n in (1, 2)
]  # fmt: skip
HEAD = {"name": "ray-head", "role": "ray-head", "container": "aidc-x-ray-head", "addresses": {}}
SERVICES = [HEAD, *NODES]


class TestTarget:
    @pytest.mark.parametrize(
        ("case", "hosts", "expected"),
        [
            ("worker", ["compute-node2", "compute-node1"], "compute-node2"),  # where rank 0 is
            ("node", ["compute-node2", "compute-node1"], "compute-node2"),  # where the driver is not
            ("driver", ["compute-node2", "compute-node1"], "compute-node1"),
            ("head", [], "ray-head"),
        ],
    )
    def test_each_case_has_its_own(self, case: str, hosts: list[str], expected: str) -> None:
        target = injector.choose(case, SERVICES, hosts, "10.0.0.1")
        assert (target.service, target.process) == (expected, case == "worker")

    def test_a_node_of_another_rank_than_the_first_is_preferred(self) -> None:
        third = {**NODES[1], "name": "compute-node3", "addresses": {"fabric": "10.0.0.3"}}
        hosts = ["compute-node2", "compute-node1", "compute-node3"]
        assert injector.choose("node", [*SERVICES, third], hosts, "10.0.0.1").service == "compute-node3"

    def test_a_stack_of_one_node_has_no_node_without_the_driver(self) -> None:
        with pytest.raises(StackError, match="case node: none of the 1 compute nodes fits"):
            injector.choose("node", [HEAD, NODES[0]], ["compute-node1"], "10.0.0.1")


class FakeEngine:
    """A Docker API that notes what is asked of it."""

    def __init__(self, said: bytes = b"1700000000000\n") -> None:
        self.calls: list[str] = []
        self.said = said
        self.api = self

    def kill(self, container: str) -> None:
        self.calls.append(f"kill {container}")

    def start(self, container: str) -> None:
        self.calls.append(f"start {container}")

    def exec_create(self, container: str, command: list[str], stderr: bool) -> dict[str, str]:
        self.calls.append(f"exec {container}")
        return {"Id": "1"}

    def exec_start(self, identifier: str) -> bytes:
        return self.said

    def exec_inspect(self, identifier: str) -> dict[str, int]:
        return {"ExitCode": 0}


class TestInjector:
    def test_a_killed_container_is_started_again(self) -> None:
        engine = FakeEngine()
        injector.Injector(Engine(engine)).cause(injector.Target("n", "c", "a node"), 0)
        assert engine.calls == ["kill c", "start c"]

    def test_an_interrupted_outage_leaves_the_stack_whole(self, monkeypatch: pytest.MonkeyPatch) -> None:
        engine = FakeEngine()

        def interrupt(seconds: float) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(time, "sleep", interrupt)
        with pytest.raises(KeyboardInterrupt):
            injector.Injector(Engine(engine)).cause(injector.Target("n", "c", "a node"), 5)
        assert engine.calls == ["kill c", "start c"]

    def test_killed_ranks_say_when(self) -> None:
        target = injector.Target("n", "c", "a worker", process=True)
        assert injector.Injector(Engine(FakeEngine())).cause(target, 0) == 1_700_000_000_000

    def test_no_rank_to_kill_is_an_error(self) -> None:
        target = injector.Target("n", "c", "a worker", process=True)
        with pytest.raises(StackError, match="c: no rank of a training job"):
            injector.Injector(Engine(FakeEngine(b"0\n"))).cause(target, 0)

    def test_an_engine_that_refuses_is_an_error_that_names_the_container(self) -> None:
        engine = FakeEngine()
        engine.api = SimpleNamespace(kill=lambda container: 1 / 0)  # type: ignore[assignment]
        with pytest.raises(StackError, match="c: cannot be killed"):
            injector.Injector(Engine(engine)).cause(injector.Target("n", "c", "a node"), 0)


class FakeRay(RayClient):
    """A Ray API that gives prepared answers in turn: a status, a log, or an error."""

    def __init__(self, answers: list[Any]) -> None:
        self.answers, self.stopped = answers, False

    def status(self, identifier: str) -> dict[str, Any]:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)

    def logs(self, identifier: str) -> str:
        return "a line\n"

    def stop(self, identifier: str) -> None:
        self.stopped = True


RUNNING = {"status": "RUNNING"}
DIED = {"status": "FAILED", "driver_exit_code": None, "error_type": "JOB_SUPERVISOR_ACTOR_DIED"}


class TestFollow:
    @pytest.fixture(autouse=True)
    def _no_waiting(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ray_api, "POLL_S", 0)

    def test_a_head_that_is_away_for_a_while_is_forgiven(self) -> None:
        ray = FakeRay([RUNNING, *[StackError("503")] * 50, RUNNING, {"status": "SUCCEEDED"}])
        lines: list[str] = []
        assert ray.follow("j", lines.append, 60) == "SUCCEEDED"
        assert lines == ["a line"]

    def test_a_head_that_stays_away_is_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ray_api, "PATIENCE_S", -1)
        ray = FakeRay([RUNNING, StackError("503")])
        with pytest.raises(StackError, match="503"):
            ray.follow("j", print, 60)
        assert ray.stopped

    def test_a_job_that_takes_too_long_is_stopped(self) -> None:
        ray = FakeRay([RUNNING])
        with pytest.raises(StackError, match="job j: has not ended after 0 s; it was stopped"):
            ray.follow("j", print, 0)
        assert ray.stopped

    def test_a_job_that_cannot_be_stopped_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ray = FakeRay([RUNNING])
        monkeypatch.setattr(ray, "stop", lambda identifier: FakeRay([StackError("503")]).status(identifier))
        with pytest.raises(StackError, match="it could not be stopped: 503"):
            ray.follow("j", print, 0)

    def test_a_job_that_is_to_be_kept_goes_on_when_its_time_is_over(self) -> None:
        ray = FakeRay([RUNNING])
        with pytest.raises(StackError, match="it goes on"):
            ray.follow("j", print, 0, keep=True)
        assert not ray.stopped

    def test_a_job_that_is_unknown_once_is_not_lost(self) -> None:
        ray = FakeRay([RUNNING, UnknownJobError("404"), RUNNING, {"status": "SUCCEEDED"}])
        assert ray.follow("j", print, 60) == "SUCCEEDED"

    def test_a_job_that_stays_unknown_is_lost(self) -> None:
        assert FakeRay([RUNNING, UnknownJobError("404")]).follow("j", print, 60) == LOST

    def test_a_log_that_went_with_its_node_does_not_hide_the_end(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ray = FakeRay([RUNNING, DIED])
        monkeypatch.setattr(ray, "_log_or_none", lambda identifier: None)
        assert ray.follow("j", print, 60) == LOST


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (DIED, LOST),
        ({**DIED, "driver_exit_code": 1}, "FAILED"),  # the driver itself said no: again would not help
        ({**DIED, "error_type": "RUNTIME_ENV_SETUP_FAILURE"}, "FAILED"),
        ({**DIED, "status": "STOPPED"}, "STOPPED"),
    ],
)
def test_a_lost_job_is_told_from_a_failed_one(state: dict[str, Any], expected: str) -> None:
    assert final(state) == expected


class Jobs:
    """The Ray client as `in_stack` sees it: each submission ends as told."""

    def __init__(self, *ends: str) -> None:
        self.ends, self.submitted, self.stopped = list(ends), list[str](), list[str]()

    def submit(self, entrypoint: str, identifier: str, patience_s: float, without: tuple[str, ...]) -> str:
        self.submitted.append(identifier)
        return identifier

    def follow(self, identifier: str, on_line: Callable[[str], None], timeout_s: float) -> str:
        return self.ends[len(self.submitted) - 1]

    def stop(self, identifier: str) -> None:
        self.stopped.append(identifier)


@pytest.mark.parametrize(
    ("ends", "submitted", "problem"),
    [
        (["SUCCEEDED"], ["r-tiny"], None),
        ([LOST, "SUCCEEDED"], ["r-tiny", "r-tiny-2"], None),
        ([LOST, "FAILED"], ["r-tiny", "r-tiny-2"], "Ray job r-tiny-2: FAILED"),
        ([LOST] * 3, ["r-tiny", "r-tiny-2", "r-tiny-3"], "Ray job r-tiny-3: lost like the 2 before it"),
    ],
)
def test_a_lost_job_is_submitted_again_a_few_times(
    tiny: Workload, store: DirectoryStore, ends: list[str], submitted: list[str], problem: str | None
) -> None:
    jobs, said = Jobs(*ends), list[dict[str, Any]]()
    spec = Spec(run_id="r", workload=tiny)
    found = launch.in_stack(spec, jobs, store, lambda kind, content: said.append(content))  # type: ignore[arg-type]
    assert found == problem
    assert jobs.submitted == submitted
    assert jobs.stopped == submitted[:-1]  # what may be left of it does not train beside its successor
    assert [content["submission"] for content in said] == [*range(2, len(submitted) + 1)]


def options(**more: Any) -> faults.Options:
    file = Path(__file__).parents[3] / "testdata" / "valid-workload.yaml"
    return faults.Options("fake", "smoke", file, Path("out"), **more)


@pytest.mark.parametrize(("every", "steps"), [(5, 80), (41, 80), (25, 30)])
def test_a_fault_must_fit_between_two_checkpoints(tiny: Workload, every: int, steps: int) -> None:
    with pytest.raises(
        ConfigError, match=f"--checkpoint-every {every}: must be more than 5 and at most half"
    ):
        faults.with_checkpoints(tiny, options(checkpoint_every=every, steps=steps))


class FakeStack:
    compute_nodes = 1

    def __init__(self, store: DirectoryStore) -> None:
        self.directory = store
        self.inventory: dict[str, Any] = {"services": SERVICES, "flows": []}

    def images(self) -> dict[str, str]:
        return {}

    def store(self) -> DirectoryStore:
        return self.directory

    def ray(self) -> Any:
        return SimpleNamespace(status=lambda name: {"driver_info": {"node_ip_address": "10.0.0.1"}})


class KilledError(Exception):
    """What the fault does to the training of this process."""


Drill = Callable[..., dict[str, Any]]


@pytest.fixture
def drill(tmp_path: Path, store: DirectoryStore, monkeypatch: pytest.MonkeyPatch) -> Drill:
    """`faults.main`, where jobs run in this process and a fault ends them; `revived`: they start again."""

    def go(*cases: str, revived: bool = True, into: Path | None = None) -> dict[str, Any]:
        struck: list[str] = []

        def in_stack(spec: Spec, ray: object, store: DirectoryStore, on_message: Any) -> str | None:
            def say(kind: str, content: dict[str, Any]) -> None:
                on_message(kind, content)
                if struck:
                    struck.clear()
                    raise KilledError

            monkeypatch.setattr(job, "say", say)
            spec = spec.model_copy(update={"store": str(store.root)})
            try:
                job.run(spec, RankContext())
            except KilledError:
                if not revived:
                    return "TrainingError: the ranks could not be started again"
                job.run(spec, RankContext())
            return None

        def cause(engine: injector.Injector, target: injector.Target, outage_s: float) -> int:
            struck.append(target.service)
            return time.time_ns() // 1_000_000

        def save(checkpointer: Checkpointer, step: int, state: dict[str, Any]) -> None:
            written(checkpointer, step, state)
            checkpointer.wait()  # the dead write nothing: its thread would outlive this process's "death"

        written = Checkpointer.save
        monkeypatch.setattr(Checkpointer, "save", save)
        here = {**machine.facts(), "host": "compute-node2"}
        monkeypatch.setattr(machine, "facts", lambda: here)
        monkeypatch.setattr(launch, "in_stack", in_stack)
        monkeypatch.setattr(stacks, "read", lambda *_: FakeStack(store))
        monkeypatch.setattr("benchmark.cluster.engine.connect", lambda: Engine(FakeEngine()))
        monkeypatch.setattr(injector.Injector, "await_healthy", lambda *_: None)
        monkeypatch.setattr(injector.Injector, "cause", cause)
        chosen = options(cases=cases, checkpoint_every=20, steps=80, into=into, outage_s=0)
        code = faults.main(replace(chosen, out=tmp_path / "out"))
        (folder,) = runs.folders(tmp_path / "out")
        page = (folder / "report.html").read_text()
        return {**results.load(folder / "result.json"), "code": code, "page": page}

    return go


def test_training_goes_on_from_the_last_checkpoint_to_the_same_model(drill: Drill) -> None:
    result = drill("worker", "head")
    assert (result["complete"], result["code"]) == (True, 0)
    found = result["recovery"]
    assert (found["undisturbed"]["restarts"], found["undisturbed"]["goodput"] > 0) == (0, True)
    for case in found["cases"]:
        (fault,) = case["faults"]
        assert case["restarts"] == 1
        assert fault["resumed_from"] == fault["last_checkpoint"] >= 20
        # None at all when a checkpoint came between the order and the kill.
        assert fault["steps_redone"] == fault["last_step"] - fault["resumed_from"] >= 0
        assert 0 < fault["restart_s"] <= fault["recovery_s"]
        assert case["difference"] == 0
    assert [v["verdict"] for v in result["verdicts"]] == ["pass", "pass"]
    assert result["page"].count("<svg") == 2


def test_without_recovery_the_run_is_incomplete_and_what_was_measured_is_kept(drill: Drill) -> None:
    result = drill("worker", revived=False)
    assert (result["complete"], result["code"]) == (False, 1)
    assert result["errors"] == [
        {"where": "worker", "message": "TrainingError: the ranks could not be started again"}
    ]
    (case,) = result["recovery"]["cases"]
    assert case["faults"][0]["recovery_s"] is None
    assert "no step beyond" in case["faults"][0]["not_measured"]["recovery_s"]
    assert len(case["lines"]) == 1
    assert result["verdicts"][0]["verdict"] == "fail"
    assert "the ranks could not be started again" in result["page"]


@pytest.mark.parametrize(
    ("changes", "share", "verdict"),
    [
        ({}, 0.02, "pass"),
        ({"recovery_s": 500.0}, 0.02, "fail"),
        ({"recovery_s": 500.0}, 0.5, "inconclusive"),
        ({"resumed_from": 10}, 0.5, "fail"),
        ({"difference": 0.5}, 0.5, "fail"),
        ({"recovery_s": 500.0, "difference": 0.5}, 0.5, "fail"),
        ({"difference": None}, 0.02, "inconclusive"),
    ],
)
def test_a_busy_host_excuses_slowness_alone(changes: dict[str, Any], share: float, verdict: str) -> None:
    fault = {"recovery_s": 20.0, "steps_redone": 5, "resumed_from": 20, "last_checkpoint": 20}
    case = {"lost": "a node", "outage_s": 0, "problem": None, "difference": 0.0,
            "host_load": {"seconds": 60.0, "others_share": share}}  # fmt: skip
    case |= {k: v for k, v in changes.items() if k in case}
    case["faults"] = [{**fault, **{k: v for k, v in changes.items() if k in fault}}]
    (row,) = recovery_verdicts.rows({"tolerance": 0.01, "metric": "accuracy", "cases": [case]})
    assert row["verdict"] == verdict


def test_another_result_takes_the_outcome_up(drill: Drill, tmp_path: Path, complete: dict[str, Any]) -> None:
    path = tmp_path / "result.json"
    results.save(complete, path)
    result = drill("node", into=path)
    other = results.load(path)
    assert other["recovery"] == result["recovery"]
    assert "training survives the loss of a node" in [v["name"] for v in other["verdicts"]]
    assert "Faults during training" in path.with_name("report.html").read_text()


def test_a_stack_that_is_not_there_leaves_nothing(
    drill: Drill, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def read(*_: Any) -> None:
        raise StackError("stack fake: no output 'inventory'")

    monkeypatch.setattr(stacks, "read", read)
    assert faults.main(replace(options(cases=("head",)), out=tmp_path / "out")) == 1
    assert not (tmp_path / "out").exists()
    assert "stack fake: no output 'inventory'" in capsys.readouterr().err


class TestJournal:
    def test_what_an_attempt_has_logged_outlives_it(self, store: DirectoryStore) -> None:
        log = EventLog()
        journal.Journal(store, "results/r/w/seed-1", log)
        log.add("POINT_IN_TIME", "checkpoint", 20)
        log.add("POINT_IN_TIME", "later")  # lost with the process: nothing has closed the journal
        ((event,),) = journal.read(store, "results/r/w/seed-1")
        assert (event["key"], event["value"]) == ("checkpoint", 20)

    def test_a_traced_run_logs_every_step(self, tiny: Workload, store: DirectoryStore) -> None:
        spec = Spec(run_id="r", workload=tiny, store=str(store.root), trace=True)
        job.run(spec, RankContext())
        (attempt,) = recovery.attempts(journal.read(store, "results/r/tiny/seed-1"))
        assert [step for _, step in attempt.points] == list(range(61))
        assert [step for _, step in attempt.checkpoints] == [20, 40, 60]
        assert attempt.finished

    def test_a_store_that_fails_does_not_stop_training(self, store: DirectoryStore) -> None:
        store.root.write_text("a file where a directory is needed")
        log = EventLog()
        keeper = journal.Journal(store, "results/r/w/seed-1", log)
        log.add("POINT_IN_TIME", "checkpoint", 20)
        keeper.close()
        assert len(log.events) == 1

    def test_attempts_come_in_the_order_of_their_starts(self, store: DirectoryStore) -> None:
        for at in (2, 1):
            store.put(f"results/r/w/seed-1.attempts/{at:013d}.jsonl", b'{"at": %d}\n' % at)
        assert [log[0]["at"] for log in journal.read(store, "results/r/w/seed-1")] == [1, 2]
