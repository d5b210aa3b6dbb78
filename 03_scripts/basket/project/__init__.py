"""What is fixed: folders, settings, dictionary, stages, errors."""
