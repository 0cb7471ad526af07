"""Action recognition in video with 3D networks and graph-based global reasoning."""
