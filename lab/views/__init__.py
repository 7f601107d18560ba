"""Boards and pictures: what was kept, and progress over experiments."""
