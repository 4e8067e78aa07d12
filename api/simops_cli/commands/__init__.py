"""The commands: each takes what was typed, asks the place where runs are, and prints."""
