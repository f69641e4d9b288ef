"""What predictions are worth: losses as Keras has them, the best constant, skill with its bounds."""
