"""From a configuration to objects: assemble, check, run, describe."""
