"""When is something wrong, who is told, how often: rules, channels, deliveries."""
