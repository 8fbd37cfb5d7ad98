"""The compute image builds and executes what PyTorch needs for a GPU, where a node with GPUs keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import docker
import pytest
from docker.types import Mount

from components.compute import COMPILED, COMPILER_CACHES, TMPFS, USER
from components.planning.inventory import Inventory

# Triton builds a launcher like this one for each kernel; it does so without a GPU, too.
PROGRAM = """
from triton.runtime.build import compile_module_from_src
source = '''
#include <Python.h>
static PyObject *answer(PyObject *self, PyObject *none) { return PyLong_FromLong(42); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, ""}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "launcher", NULL, -1, methods};
PyMODINIT_FUNC PyInit_launcher(void) { return PyModule_Create(&module); }
'''
launcher = compile_module_from_src(src=source, name="launcher")
print(launcher.answer(), launcher.__file__)
"""


@pytest.fixture
def cache() -> Iterator[Any]:
    volume = docker.from_env().volumes.create()
    yield volume
    volume.remove()


def test_a_launcher_is_built_and_executed_from_the_nodes_volume(inventory: Inventory, cache: Any) -> None:
    client = docker.from_env()
    node = inventory.by_role("compute")[0]
    said = client.containers.run(
        client.containers.get(node.container).attrs["Config"]["Image"],
        ["python3", "-c", PROGRAM],
        user=USER,
        environment={"HOME": "/tmp", **COMPILER_CACHES},
        network_mode="none",
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true"],
        tmpfs=dict(TMPFS),
        mounts=[Mount(COMPILED, cache.name, type="volume")],
        remove=True,
    )
    answer, path = said.decode().split()
    assert answer == "42"
    assert path.startswith(f"{COMPILED}/")
