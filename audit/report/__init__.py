"""The audit as a page with its picture of who reaches whom. `page` writes it."""
