"""Files written whole, locks on files, cells of CSV, what can be read. Standard library only."""
