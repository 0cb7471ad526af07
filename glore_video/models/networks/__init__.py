"""Networks by name, what is known of each, and the insertion of units."""
