"""Agents: who proposes the next experiment, the built-in tuner or a coding agent."""
