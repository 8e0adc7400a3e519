"""What `run` is made of.

system    this repository and this process: failures that the user reads, commands, clean ends
sources   the suite's sources, from the Debian package
unit      one unit of the suite in a tree of its own, and what its output says
pool      several units side by side
ledger    what must pass, and what is left out with its reason
report    the table and the last line
"""
