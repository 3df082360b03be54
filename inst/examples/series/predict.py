"""Asks the model of train.R for the sunspots of the next four quarters.

python3 predict.py sunspots.pt FILE, where FILE holds the counts of 44 quarters, one a line, oldest first.
"""
import sys

import torch

if len(sys.argv) != 3:
    sys.exit("usage: predict.py MODEL FILE")

model = torch.jit.load(sys.argv[1], map_location="cpu")
with open(sys.argv[2]) as file:
    past = torch.tensor([[float(line) for line in file]])
with torch.no_grad():
    print(" ".join(f"{number:6.2f}" for number in model(past)[0].tolist()))
