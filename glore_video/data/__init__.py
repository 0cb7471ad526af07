"""Lists of samples, sharding and resuming samplers, reading workers."""
