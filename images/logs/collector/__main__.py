"""Runs until it is stopped."""

from __future__ import annotations

from . import service

service.main()
