"""Decide, then act through ports."""
