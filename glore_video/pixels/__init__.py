"""Size, crop, colour and augmentation of uint8 frames; a picture is one frame."""
