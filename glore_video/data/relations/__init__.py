"""Rendered videos whose classes need global reasoning: what the demos train on."""
