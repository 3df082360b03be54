"""Asks the model of train.R for the density of eruptions of some lengths after a wait, in minutes.

python3 predict.py geyser.pt WAIT LENGTH...
"""
import sys

import torch

if len(sys.argv) < 4:
    sys.exit("usage: predict.py MODEL WAIT LENGTH...")

model = torch.jit.load(sys.argv[1], map_location="cpu")
wait = torch.tensor([float(sys.argv[2])])
lengths = torch.tensor([float(word) for word in sys.argv[3:]])
with torch.no_grad():
    print(" ".join(f"{number:.4f}" for number in model(wait, lengths).tolist()))
