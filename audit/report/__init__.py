"""The audit as a page, with a picture of who can reach whom. `page` writes it."""
