"""A target that counts and times for itself, against which the measurements are held."""
