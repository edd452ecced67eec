"""Shared words; imports nothing of ours."""
