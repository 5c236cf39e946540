"""Reference RTL and the benches that hold it against the integer path."""
