"""What comes in: sockets, recordings, and the repair of books."""
