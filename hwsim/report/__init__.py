"""Reports: the values, and their forms as text."""
