"""The command `h5flow`: words to a `RunRequest`, and what happened to text."""
