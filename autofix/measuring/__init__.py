"""The evidence: what is measured of data, network and training, and what reference learners reach."""
