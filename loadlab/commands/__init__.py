"""The commands of `./lab`: each reads its settings, calls the rooms below and tells the user."""
