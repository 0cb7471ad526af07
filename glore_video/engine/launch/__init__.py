"""The processes of a run: starting them, their meeting, who is alive and what each does."""
