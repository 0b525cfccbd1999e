"""What is shown of a run: consumes the events, and nothing depends on it but the command."""
