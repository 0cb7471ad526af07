"""Lists of pictures: which files are pictures, and ImageNet as people have it."""
