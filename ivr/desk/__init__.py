"""What town staff see and say at a terminal: the agents, their pauses, the wallboard. In French."""
