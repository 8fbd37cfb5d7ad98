"""A status as a page for a browser: the same in the clone (`make open`) and in the service `home`.

What is here and below it runs in the image `home` too, which has pydantic and Jinja and nothing else of ours.
"""
