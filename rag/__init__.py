"""Finds what an answer must rest on."""
