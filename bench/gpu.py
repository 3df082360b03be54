"""PyTorch's side of gpu.R: JSON of [eager, traced] in µs by name."""
import json
import statistics
import time

import torch
from torch import nn

device = "cuda"
large = torch.randn(2**24, device=device)
square = torch.randn(4096, 4096, device=device)
vector = torch.randn(1000, device=device)
small = torch.randn(2, 2, device=device)
rows_x, rows_y = torch.randn(32, 10, device=device), torch.randn(32, 1, device=device)
images = torch.randn(64, 1, 28, 28, device=device)
labels = torch.randint(0, 10, (64,), device=device)


def chain(x):
    y = torch.tanh(x * 2 + 1)
    z = y**2 / 3
    return torch.tanh(z * 1.5 - 0.5) * y + z - torch.sigmoid(y)


def gelu(x):
    return 0.5 * x * (1 + torch.tanh(0.7978845608 * (x + 0.044715 * x**3)))


def softmax(x):
    e = torch.exp(x - torch.amax(x, 1, True))
    return e / torch.sum(e, 1, True)


def adam(p, g, m, v):
    m = m * 0.9 + g * 0.1
    v = v * 0.999 + g * g * 0.001
    return p - 0.001 * (m / 0.1) / (torch.sqrt(v / 0.001) + 1e-8), m, v


def recurrent(x):
    h = torch.zeros_like(x)
    for _ in range(100):
        h = torch.tanh(h * 0.5 + x)
    return h


def mlp(hidden):
    layers = [nn.Linear(10, 64), nn.ReLU()]
    for _ in range(hidden):
        layers += [nn.Linear(64, 64), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(64, 1)).to(device)


def convolutions():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 10)).to(device)


def step(model, loss, x, y):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def run():
        optimizer.zero_grad()
        loss(model(x), y).backward()
        optimizer.step()
    return run


def both(f, *arguments):
    g = torch.jit.trace(f, arguments)
    return lambda: f(*arguments), lambda: g(*arguments)


def took(f, n):
    if f is None:
        return None
    for _ in range(max(5, n // 5)):
        f()
    torch.cuda.synchronize()
    rounds = []
    for _ in range(7):
        began = time.perf_counter()
        for _ in range(n):
            f()
        torch.cuda.synchronize()
        rounds.append((time.perf_counter() - began) / n)
    return 1e6 * statistics.median(rounds)


def without_gradients(pair):
    def wrap(f):
        def run():
            with torch.no_grad():
                return f()
        return run
    return tuple(wrap(f) for f in pair)


rows = {
    "add": (2000, lambda: small + small, None),
    "chain": (50, *both(chain, large)),
    "gelu": (50, *both(gelu, large)),
    "softmax": (50, *both(softmax, square)),
    "adam": (50, *both(adam, large, large, large, large)),
    "recurrent": (20, lambda: recurrent(vector), both(torch.jit.script(recurrent), vector)[0]),
    "mlp_forward": (500, *without_gradients(both(mlp(1), rows_x))),
    "mlp_step": (200, step(mlp(4), nn.functional.mse_loss, rows_x, rows_y), None),
    "conv_step": (100, step(convolutions(), nn.functional.cross_entropy, images, labels), None),
}
print(json.dumps({name: [took(f, n), took(g, n)] for name, (n, f, g) in rows.items()}).replace("NaN", "null"))
