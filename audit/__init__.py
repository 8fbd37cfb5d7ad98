"""The live security audit of a running stack: what is declared, tested on what is running.

Each room has a `check.py` that gathers what it needs and hands it to pure judges; a module with effects says
so in its docstring. `run` puts the parts together into one `document`; `report` makes the page from that
alone.
"""
