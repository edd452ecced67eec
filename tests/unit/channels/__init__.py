"""Tests of pure channel code."""
