"""A page to try a network on: drop a file, see what it says and where it looks."""
