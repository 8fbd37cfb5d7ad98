"""Metrics, dashboards and alerts: what is read where (`scrape`), shown (`dashboards`) and told (`rules`)."""

from components.monitoring.server import Monitoring

__all__ = ["Monitoring"]
