"""The user's job: its process, its folder, what it prints and how far it is."""
