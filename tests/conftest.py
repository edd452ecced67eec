"""Before anything of LangGraph is imported: the switches the entry point sets."""

from __future__ import annotations

from config.settings import harden_libraries

harden_libraries()
