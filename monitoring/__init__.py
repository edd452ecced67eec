"""One source of metrics, many readers."""
