"""The GloRe unit: its layers, its orders of computation, batch-norm folding."""
