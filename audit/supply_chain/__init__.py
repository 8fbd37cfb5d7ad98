"""What the images are made of: packages and updates, known advisories, locks, a bill of materials."""
