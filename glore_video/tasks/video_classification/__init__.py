"""Action recognition: a class for each video."""
