"""`lab gc` and `lab doctor`: make room, and say whether all is well."""
