"""The rules, by topic. Each module contains only rules; `policies.catalogue` collects them."""
