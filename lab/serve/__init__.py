"""`lab serve`: the notebook as pages that move while it runs, read by SQL, and acts by a token.

A reader: every page comes from one read-only moment of the notebook, made on this machine of the
components that `lab report` prints. `changes` looks once for all readers whether anything moved.
"""
