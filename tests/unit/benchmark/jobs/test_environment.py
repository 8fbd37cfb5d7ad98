"""A rank finds what torchrun would set."""

from __future__ import annotations

import subprocess
import sys

from benchmark.jobs.environment import STARTS, USER, Place, of_job, of_rank

PLACES = [Place("n1", "10.0.0.1", ("0",)), Place("n2", "10.0.0.2", ("0",)), Place("n1", "10.0.0.1", ("3",))]


def test_each_rank_knows_its_place_among_all() -> None:
    found = [of_rank(number, PLACES, 4000, 0.5) for number in range(3)]
    assert [f["RANK"] for f in found] == ["0", "1", "2"]
    assert [f["LOCAL_RANK"] for f in found] == ["0", "0", "1"]
    assert [f["LOCAL_WORLD_SIZE"] for f in found] == ["2", "1", "2"]
    assert [f["GROUP_RANK"] for f in found] == ["0", "1", "0"]
    assert {f["WORLD_SIZE"] for f in found} == {"3"}


def test_what_torchrun_says_is_there() -> None:
    found = {**of_job("demo", 2, None), **of_rank(2, PLACES, 4000, 0.5)}
    assert (found["GROUP_WORLD_SIZE"], found["ROLE_RANK"], found["ROLE_WORLD_SIZE"]) == ("2", "2", "3")
    assert (found["TORCHELASTIC_RUN_ID"], found["TORCHELASTIC_RESTART_COUNT"]) == ("demo", "1")
    assert int(found["TORCHELASTIC_MAX_RESTARTS"]) == STARTS - 1


def test_the_user_has_a_name() -> None:
    asked = [sys.executable, "-c", "import getpass; print(getpass.getuser())"]
    done = subprocess.run(asked, env=of_job("demo", 1, None), capture_output=True, text=True, check=True)
    assert done.stdout == f"{USER}\n"


def test_all_ranks_meet_at_the_first_one() -> None:
    assert {(f["MASTER_ADDR"], f["MASTER_PORT"]) for n in range(3) if (f := of_rank(n, PLACES, 4000, 1))} == {
        ("10.0.0.1", "4000")
    }


def test_the_gpus_of_a_node_can_be_chosen_by_local_rank() -> None:
    assert of_rank(0, PLACES, 4000, 1)["CUDA_VISIBLE_DEVICES"] == "0,3"
    assert of_rank(1, PLACES, 4000, 1)["CUDA_VISIBLE_DEVICES"] == "0"


def test_without_gpus_what_ray_has_set_stays() -> None:
    assert "CUDA_VISIBLE_DEVICES" not in of_rank(0, [Place("n", "10.0.0.1")], 4000, 1)


def test_a_rank_has_as_many_threads_as_cpus_but_one_at_least() -> None:
    assert [of_rank(0, PLACES, 1, cpus)["OMP_NUM_THREADS"] for cpus in (0.4, 4)] == ["1", "4"]


def test_the_same_name_finds_the_same_checkpoints() -> None:
    first, second = of_job("demo", 1, None), of_job("demo", 2, "r")
    assert first["AIDC_CHECKPOINTS"] == second["AIDC_CHECKPOINTS"] == "s3://checkpoints/jobs/demo/"
    assert (second["AIDC_ATTEMPT"], second["MLFLOW_RUN_ID"]) == ("2", "r")
    assert second["MLFLOW_EXPERIMENT_NAME"] == "jobs"
    assert not {"MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_NAME"} & first.keys()
