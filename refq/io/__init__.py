"""Model files: one reader a format, and refq's own file."""
