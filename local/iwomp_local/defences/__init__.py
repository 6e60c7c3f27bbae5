"""`make defences`: turns off one defence after another and sees a test fail each time.

The lists (*.toml, one for each part of the product) say of each defence which text of which file is the defence, what
stands there when it is off, and which test has to notice.
"""
