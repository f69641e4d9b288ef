"""What is seen of a training while it runs, and what is shown of it."""
