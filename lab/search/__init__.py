"""What words mean: the vocabulary of the field, and how near two ideas are."""
