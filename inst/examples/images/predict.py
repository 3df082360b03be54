"""Reads digits with the model of train.R.

python3 predict.py digits.pt FILE, where FILE holds images of 20 x 20 pixels as 32-bit floats, row by row.
"""
import sys

import torch

if len(sys.argv) != 3:
    sys.exit("usage: predict.py MODEL FILE")

model = torch.jit.load(sys.argv[1], map_location="cpu")
with open(sys.argv[2], "rb") as file:
    images = torch.frombuffer(bytearray(file.read()), dtype=torch.float32).reshape(-1, 1, 20, 20)
with torch.no_grad():
    # Python counts classes from 0, so that the class is the digit.
    print(*model(images).argmax(dim=1).tolist())
