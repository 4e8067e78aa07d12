"""Who calls, and what they may do: so that a page or a program offers only what is permitted."""
