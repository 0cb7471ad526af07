"""Weight files of everybody: download, reading, renaming of keys, inflation."""
