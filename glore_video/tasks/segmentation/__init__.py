"""The task segmentation: a class for each pixel of a picture."""
