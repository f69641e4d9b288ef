"""The search for a repair: trials, the oracle and tuner on KerasTuner, the judge, the smallest recipe."""
