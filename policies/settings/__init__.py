"""Settings of the policies: levels, waivers and the reviews of the pins, each mistake with its line.

`bundle.load` reads all of them; `documents` is the reader that keeps line numbers.
"""
