"""What is published, one file a stream: events to messages."""
