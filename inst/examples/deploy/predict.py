"""Loads a traced model and prints its prediction for the numbers of the command line.

python3 predict.py model.pt 1 1 1
"""
import sys

import torch

if len(sys.argv) < 3:
    sys.exit("usage: predict.py MODEL NUMBER...")

model = torch.jit.load(sys.argv[1], map_location="cpu")
x = torch.tensor([float(word) for word in sys.argv[2:]])
with torch.no_grad():
    prediction = model(x)
for number in prediction.flatten().tolist():
    print(f"{number:.17g}")
