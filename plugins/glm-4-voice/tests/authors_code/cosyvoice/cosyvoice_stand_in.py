SAMPLES = 1764  # of a code: 22050 Hz at 12.5 codes a second
