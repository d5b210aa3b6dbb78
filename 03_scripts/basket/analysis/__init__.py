"""Stages 04 and 05: what the analysis says."""
