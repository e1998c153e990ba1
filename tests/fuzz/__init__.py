"""Coverage-guided fuzzing of every decoder, with the corpus that it has found so far."""
