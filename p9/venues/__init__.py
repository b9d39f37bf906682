"""What the appliance knows of each venue, one file a venue: URLs, topics, heartbeats, sequence rules, REST answers."""
