"""A terminal without a screen: what a program's output would look like. Standard library only; answers nothing, obeys nothing.

`screen` is the grid of cells, `emulator` the bytes' meaning. The common libraries have no alternate screen and no repeat,
without which vim, less and htop look wrong, and fail on control sequences that a hostile program may send.
"""
