"""Measures of this bot beside its limits and its alternatives."""
