"""What is kept about a run: the working file that becomes the output, and its records."""
