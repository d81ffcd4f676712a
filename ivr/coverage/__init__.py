"""Who will answer in the days to come: topics that will have nobody or be slow, and who could mend that."""
