"""The operating system: locks, processes, notifications."""
