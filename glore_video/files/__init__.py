"""Files written whole, locks on files, cells of CSV. Standard library only."""
