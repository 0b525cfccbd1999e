"""What ranks agree on, and the rows that are not yet written."""
