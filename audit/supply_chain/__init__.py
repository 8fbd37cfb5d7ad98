"""What the images are made of: packages and their updates, known advisories, locks, and a bill of materials."""
