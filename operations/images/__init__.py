"""The build contexts of the images, and building those that the engine lacks (`building.ensure`)."""
