"""Errors carried between processes, how a process ends, children that can be killed."""
