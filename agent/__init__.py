"""Decides what to answer."""
