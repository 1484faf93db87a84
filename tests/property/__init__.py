"""Hot equals cold: random projects, random edits, and a fresh interpreter to compare every answer with."""
