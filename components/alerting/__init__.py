"""Telling people of alerts: Alertmanager, and the gateway through which it reaches the declared receivers."""

from components.alerting.gateway import Gateway
from components.alerting.server import Alerting

__all__ = ["Alerting", "Gateway"]
