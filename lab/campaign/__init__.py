"""An agent at work on a leaf until a limit: its loop, lock, sessions, status and end."""
