"""A result as a page: sections, plots and the comparison of two results. `pages.write` writes it."""
