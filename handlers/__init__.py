"""What answers each kind of message; knows no platform."""
