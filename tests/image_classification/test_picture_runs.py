"""Whole runs on pictures: what they leave, what changes no bit of them."""
