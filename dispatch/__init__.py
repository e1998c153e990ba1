"""Who goes where: tasks, who is asked to do them, and when."""
