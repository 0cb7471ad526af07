"""Lists of pictures with masks, for segmentation: whose folders they lie in, what their numbers mean."""
