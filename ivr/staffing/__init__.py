"""Who is there, kept true while a worker runs: calendars are read, leave and crises reach the queue as they begin."""
