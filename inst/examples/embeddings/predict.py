"""Asks the model of train.R for the weight of a chick in grams.

python3 predict.py chicks.pt CHICK DIET DAY
"""
import sys

import torch

if len(sys.argv) != 5:
    sys.exit("usage: predict.py MODEL CHICK DIET DAY")

files = {"chicks.txt": ""}
model = torch.jit.load(sys.argv[1], map_location="cpu", _extra_files=files)
names = files["chicks.txt"].decode().split("\n")

# The model counts from 1, as R does.
chick = torch.tensor([names.index(sys.argv[2]) + 1])
diet = torch.tensor([int(sys.argv[3])])
day = torch.tensor([float(sys.argv[4])])
with torch.no_grad():
    print(f"{model(chick, diet, day).item():.3f}")
