"""What an operator sees: logs, health, metrics, pages."""
