"""The strategy host: users' strategies run in processes of their own, without keys."""
