"""Frozen values and pure decisions. Nothing here knows of AWS's SDK."""
