"""What is in force of a site: which version of its plan, and what an admin has forced for a while."""
