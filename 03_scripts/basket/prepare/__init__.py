"""Stages 01 to 03: import, clean, merge."""
