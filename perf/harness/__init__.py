"""What compare, memory, flamegraph and connections share.

system   this machine: cores, limits, its name in a record
resp     a small RESP2 client, and filling a server through a raw socket
server   starting, watching and ending one server process
bench    one run of redis-benchmark, and reading its report
cli      the options that every tool has
report   Markdown tables and the files of a record
plot     a bar chart as SVG
"""
