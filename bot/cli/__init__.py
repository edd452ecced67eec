"""The commands of the terminal, one module each, with one `execute(settings, options)` each."""
