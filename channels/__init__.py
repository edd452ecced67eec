"""Adapters between a platform's payloads and our messages."""
