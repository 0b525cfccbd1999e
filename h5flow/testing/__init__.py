"""For tests of h5flow and of what users build on it."""
