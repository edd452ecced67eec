"""The running process: wiring and the one-way pipeline."""

__version__ = "0.1.0"
