"""Whatever Keras trains on: read along, sampled, and replayed."""
