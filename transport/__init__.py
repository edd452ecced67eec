"""HTTP that goes out: what all rooms share that call a server."""
