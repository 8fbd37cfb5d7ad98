"""The live security audit of a running stack: what was declared, tried on what runs.

Planning and judging are pure; what touches the machine stands apart in modules that say so. `run` puts the
parts together and writes `audit.json`; `page` makes the report from that file alone.
"""
