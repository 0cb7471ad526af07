"""Networks in use: fusing for inference, export, complexity."""
