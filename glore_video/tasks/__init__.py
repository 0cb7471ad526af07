"""One folder a task; classification/ is what the classifying ones share."""
