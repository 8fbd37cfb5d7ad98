"""The sections of the report, one per file: `section(…)` makes the part of the template's context."""
