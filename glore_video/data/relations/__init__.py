"""Rendered videos and pictures whose classes need global reasoning: what the demos train on."""
