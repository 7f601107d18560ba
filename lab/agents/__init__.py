"""What turns the notebook into the next experiment: the built-in tuner, and coding agents."""
