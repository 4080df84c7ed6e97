"""What a dataset's folder is, for every room that reads or changes one."""

STATE = ".lorasmith"
"""Name of the folder in a dataset that holds what Lorasmith knows about it."""
