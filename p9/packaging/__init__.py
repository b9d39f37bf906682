"""How the one executable is made."""
