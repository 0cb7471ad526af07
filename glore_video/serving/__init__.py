"""A page to try a network on: drop a video, see what it says and where it looks."""
