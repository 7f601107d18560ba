"""The tuner's science: which knobs to turn next, from one model of all runs, without a key."""
