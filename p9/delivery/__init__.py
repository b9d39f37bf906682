"""From finished commands to Redis, confirmed; and a Redis for those who have none."""
