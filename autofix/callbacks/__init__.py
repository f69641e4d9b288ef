"""The state of the user's training, callbacks and files: kept, and put back."""
