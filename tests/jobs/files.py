"""A job file that is right."""

TEXT = """\
version: 1
defaults:
  fit: {epochs: 10, batch_size: 32}
  compile:
    optimizer: {name: adam, learning_rate: 1e-3}
    loss: mse
jobs:
  churn:
    model: churn.keras
    data: {train: churn.csv, target: churned, validation: 0.2}
"""
