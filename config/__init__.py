"""Settings, logs and texts."""
