"""Videos on disk: lists, manifests, checks, re-encoding, Kinetics."""
