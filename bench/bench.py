"""PyTorch's side of the bench: reads "<row> <iterations>" lines, answers with the seconds one iteration took."""
import atexit
import gc
import os
import shutil
import sys
import tempfile
import time

import numpy as np
import torch

torch.set_num_threads(1)
torch.manual_seed(1)
rows = {}


def row(setup):
    rows[setup.__name__] = setup
    return setup


@row
def add_operator():
    x, y = torch.randn(2, 2), torch.randn(2, 2)
    return lambda: x + y


@row
def add_function():
    x, y = torch.randn(2, 2), torch.randn(2, 2)
    return lambda: torch.add(x, y)


@row
def add_method():
    x, y = torch.randn(2, 2), torch.randn(2, 2)
    return lambda: x.add(y)


@row
def relu():
    x = torch.randn(2, 2)
    return lambda: torch.relu(x)


@row
def matmul_small():
    x, y = torch.randn(10, 10), torch.randn(10, 10)
    return lambda: torch.matmul(x, y)


@row
def as_array_small():
    x = torch.randn(4)
    return lambda: x.numpy().copy()


@row
def from_doubles():
    v = np.random.default_rng(1).random(1_000_000)
    return lambda: torch.tensor(v, dtype=torch.float32)


@row
def from_doubles_64():
    v = np.random.default_rng(1).random(1_000_000)
    return lambda: torch.tensor(v)


@row
def from_integers():
    v = np.random.default_rng(1).permutation(1_000_000).astype(np.int32)
    return lambda: torch.tensor(v, dtype=torch.int64)


@row
def zeros():
    return lambda: torch.zeros(3)


@row
def randn():
    return lambda: torch.randn(10, 10)


@row
def shape():
    x = torch.randn(2, 2)
    return lambda: x.shape


@row
def item():
    x = torch.ones(1)
    return lambda: x.item()


@row
def as_numeric():
    x = torch.ones(1)
    return lambda: float(x)


@row
def to_doubles():
    x = torch.randn(1_000_000)
    return lambda: x.numpy().astype(np.float64)


@row
def matmul_1024():
    x, y = torch.randn(1024, 1024), torch.randn(1024, 1024)
    return lambda: torch.matmul(x, y)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.l1 = torch.nn.Linear(10, 32)
        self.l2 = torch.nn.Linear(32, 1)

    def forward(self, x):
        return self.l2(torch.relu(self.l1(x)))


@row
def forward_backward():
    net, x, y = Net(), torch.randn(32, 10), torch.randn(32, 1)

    def step():
        torch.nn.functional.mse_loss(net(x), y).backward()

    return step


class Blog(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.l1 = torch.nn.Linear(3, 8)
        self.l2 = torch.nn.Linear(8, 16)
        self.l3 = torch.nn.Linear(16, 1)
        self.d1 = torch.nn.Dropout(0.2)
        self.d2 = torch.nn.Dropout(0.2)

    def forward(self, x):
        x = self.d1(torch.relu(self.l1(x)))
        x = self.d2(torch.relu(self.l2(x)))
        return self.l3(x)


class Toy(torch.utils.data.Dataset):
    def __init__(self, n):
        self.x = torch.randn(n, 3)
        self.y = (self.x[:, [0]] * 0.2 - self.x[:, [1]] * 1.3 - self.x[:, [2]] * 0.5 + torch.randn(n, 1))

    def __getitem__(self, i):
        return {"x": self.x[i, :], "y": self.y[i]}

    def __len__(self):
        return len(self.x)


def epoch(batch_size):
    net, data = Blog(), Toy(1000)
    loader = torch.utils.data.DataLoader(data, batch_size=batch_size, shuffle=True)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.001)

    def run():
        losses = []
        for b in loader:
            output = net(b["x"])
            loss = torch.nn.functional.mse_loss(output, b["y"])
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())

    return run


@row
def epoch_1():
    return epoch(1)


@row
def epoch_32():
    return epoch(32)


@row
def compiled_epoch_32():
    return epoch(32)


def sgd_step(hidden):
    layers = [part for _ in range(hidden) for part in (torch.nn.Linear(10, 10), torch.nn.ReLU())]
    model = torch.nn.Sequential(*layers, torch.nn.Linear(10, 1))
    opt = torch.optim.SGD(model.parameters(), lr=0.01)
    x, y = torch.randn(32, 10), torch.randn(32, 1)

    def run():
        opt.zero_grad()
        torch.nn.functional.mse_loss(model(x), y).backward()
        opt.step()

    return run


@row
def compiled_step_0():
    return sgd_step(0)


@row
def compiled_step_4():
    return sgd_step(4)


@row
def compiled_step_8():
    return sgd_step(8)


def traced_blog():
    net = Blog()
    net.eval()
    return torch.jit.trace(net, torch.randn(1, 3))


@row
def traced_forward():
    traced, x = traced_blog(), torch.randn(1, 3)
    for _ in range(5):
        traced(x)
    return lambda: traced(x)


@row
def load_100mb():
    layers = torch.nn.Sequential(*[torch.nn.Linear(1024, 1024) for _ in range(25)])
    file = os.path.join(tempfile.mkdtemp(), "large.pt")
    torch.jit.trace(layers.eval(), torch.randn(1, 1024)).save(file)
    atexit.register(shutil.rmtree, os.path.dirname(file))
    return lambda: torch.jit.load(file)


compiled = torch.jit.CompilationUnit("""
def empty(x):
    return x
def containers(x: List[float], d: Dict[str, int], t: Tuple[Tensor, str]) -> Tuple[List[float], Dict[str, int], Tuple[Tensor, str]]:
    return x, d, t
""")


@row
def empty_compiled():
    empty, x = compiled.empty, torch.randn(2, 2)
    return lambda: empty(x)


@row
def compiled_containers():
    containers = compiled.containers
    ten = [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5, 9.5]
    three = {"one": 1, "two": 2, "three": 3}
    two = (torch.randn(4), "two")
    return lambda: containers(ten, three, two)


@torch.jit.script
def recurrent(x, w, u, b):
    state = torch.zeros([w.size(0)])
    for t in range(x.size(0)):
        state = torch.tanh(w.matmul(x[t]) + u.matmul(state) + b)
    return state


@row
def script_recurrent():
    x, w, u, b = torch.randn(100, 8), torch.randn(16, 8), torch.randn(16, 16), torch.randn(16)
    return lambda: recurrent(x, w, u, b)


@row
def traced_mlp_no_grad():
    traced, x = traced_blog(), torch.randn(1, 3)

    def work():
        with torch.no_grad():
            return traced(x)

    for _ in range(5):
        work()
    return work


@row
def trace_deep():
    net = torch.nn.Sequential(*[m for _ in range(50) for m in (torch.nn.Linear(16, 16), torch.nn.ReLU())])
    x = torch.randn(8, 16)
    return lambda: torch.jit.trace(net, x, check_trace=False)


@row
def trace_long():
    def steps(x):
        for _ in range(1000):
            x = x + 1
        return x

    x = torch.randn(1, 3)
    return lambda: torch.jit.trace(steps, x, check_trace=False)


@row
def index_number():
    x = torch.randn(10)
    return lambda: x[0]


@row
def index_row():
    m = torch.randn(10, 10)
    return lambda: m[2, :]


@row
def index_slice():
    m = torch.randn(10, 10)
    return lambda: m[0, 1:3]


@row
def index_mask():
    x = torch.randn(10)
    mask = x > 0
    return lambda: x[mask]


@row
def index_assign():
    x = torch.randn(10)

    def work():
        x[0:2] = 0

    return work


@row
def cat_ten():
    tensors = [torch.randn(2, 2) for _ in range(10)]
    return lambda: torch.cat(tensors)


@row
def sum_method():
    x = torch.randn(10, 10)
    return lambda: x.sum(dim=0)


@row
def view_method():
    x = torch.randn(4)
    return lambda: x.view((2, 2))


@row
def sum_function():
    x = torch.randn(10, 10)
    return lambda: torch.sum(x)


@row
def many_alive():
    x = torch.randn(2, 2)

    def work():
        everything = [torch.neg(x) for _ in range(100_000)]
        del everything

    return work


@row
def print_rows():
    x, nowhere = torch.randn(30, 4), open(os.devnull, "w")
    return lambda: print(x, file=nowhere)


@row
def print_small():
    x, nowhere = torch.randn(3, 4), open(os.devnull, "w")
    return lambda: print(x, file=nowhere)


class Mlp(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.l1 = torch.nn.Linear(3, 8)
        self.l2 = torch.nn.Linear(8, 16)
        self.l3 = torch.nn.Linear(16, 1)

    def forward(self, x):
        return self.l3(torch.relu(self.l2(torch.relu(self.l1(x)))))


@row
def build_mlp():
    return Mlp


class Items(torch.utils.data.Dataset):
    def __init__(self):
        self.x, self.y = torch.randn(1000, 3), torch.randn(1000, 1)

    def __getitem__(self, i):
        return {"x": self.x[i, :], "y": self.y[i]}

    def __len__(self):
        return 1000


@row
def dataloader_items():
    items = Items()

    def run():
        for _ in torch.utils.data.DataLoader(items, batch_size=32):
            pass

    return run


def stepper(make):
    params = [torch.randn(64, 64, requires_grad=True) for _ in range(50)]
    for p in params:
        p.grad = torch.randn(64, 64)
    return make(params).step


@row
def step_adam():
    return stepper(lambda p: torch.optim.Adam(p))


@row
def step_sgd():
    return stepper(lambda p: torch.optim.SGD(p, lr=1e-5, momentum=0.9))


@row
def step_rmsprop():
    return stepper(lambda p: torch.optim.RMSprop(p))


def trainer(model, x, y):
    opt = torch.optim.Adam(model.parameters())

    def run():
        opt.zero_grad()
        torch.nn.functional.mse_loss(model(x), y).backward()
        opt.step()

    return run


def backward_of(model, x):
    def run():
        out = model(x)
        (out[0] if isinstance(out, tuple) else out).sum().backward()

    return run


@row
def mlp_step():
    return trainer(Mlp(), torch.randn(32, 3), torch.randn(32, 1))


@row
def conv_step():
    nn = torch.nn
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 10)
    )
    return trainer(model, torch.randn(64, 1, 28, 28), torch.randn(64, 10))


@row
def lstm():
    return backward_of(torch.nn.LSTM(16, 32), torch.randn(50, 8, 16))


@row
def transformer():
    layer = torch.nn.TransformerEncoderLayer(64, 4, 128, dropout=0, batch_first=True)
    return backward_of(layer, torch.randn(32, 20, 64))


@row
def tensor_dataset():
    stored = torch.utils.data.TensorDataset(torch.randn(10000, 10), torch.randn(10000))

    def run():
        for _ in torch.utils.data.DataLoader(stored, batch_size=64):
            pass

    return run


def with_two_workers(items, batch_size):
    def run():
        for _ in torch.utils.data.DataLoader(items, batch_size=batch_size, num_workers=2):
            pass

    return run


class SlowItems(torch.utils.data.Dataset):
    def __getitem__(self, i):
        time.sleep(0.005)
        return torch.full((16,), i)

    def __len__(self):
        return 80


class LargeItems(torch.utils.data.Dataset):
    def __init__(self):
        self.image = torch.randn(128, 128)

    def __getitem__(self, i):
        return self.image + i

    def __len__(self):
        return 1600


@row
def workers_slow_items():
    return with_two_workers(SlowItems(), 4)


@row
def workers_large_batches():
    return with_two_workers(LargeItems(), 16)


def deep():
    return torch.nn.Sequential(*[layer for _ in range(50) for layer in (torch.nn.Linear(8, 8), torch.nn.ReLU())])


@row
def build_deep():
    return deep


@row
def state_dict():
    net = deep()
    return lambda: net.load_state_dict(net.state_dict())


def saver(what):
    file = tempfile.mktemp()
    return lambda: torch.save(what, file)


def loader(what):
    file = tempfile.mktemp()
    torch.save(what, file)
    return lambda: torch.load(file)


@row
def save_large():
    return saver([torch.randn(2621440)])


@row
def load_large():
    return loader([torch.randn(2621440)])


def many():
    return {f"t{i}": torch.randn(10) for i in range(10000)}


@row
def save_many():
    return saver(many())


@row
def load_many():
    return loader(many())


@row
def temporaries():
    x = torch.ones(10_000_000)

    def run():
        for _ in range(10):
            y = x * 2 + 1

    return run


def chain(x):
    y = torch.tanh(x * 2 + 1)
    z = y**2 / 3
    return torch.tanh(z * 1.5 - 0.5) * y + z - torch.sigmoid(y)


def eager(f, *arguments):
    def run():
        with torch.no_grad():
            f(*arguments)

    return run


@row
def fused_chain_16():
    return eager(chain, torch.randn(16))


@row
def fused_chain_1000():
    return eager(chain, torch.randn(1000))


@row
def fused_chain():
    return eager(chain, torch.randn(1_000_000))


@row
def fused_backward():
    x, above = torch.randn(1_000_000, requires_grad=True), torch.randn(1_000_000)
    y = chain(x)
    return lambda: torch.autograd.grad(y, x, above, retain_graph=True)


@row
def fused_gelu():
    return eager(lambda x: 0.5 * x * (1 + torch.tanh(0.7978845608 * (x + 0.044715 * x**3))), torch.randn(1_000_000))


@row
def fused_softmax():
    def softmax(x):
        e = torch.exp(x - torch.amax(x, 1, True))
        return e / torch.sum(e, 1, True)

    return eager(softmax, torch.randn(1000, 1000))


@row
def fused_layer_norm():
    def layer_norm(x):
        d = x - torch.mean(x, 1, True)
        return d / torch.sqrt(torch.mean(d * d, 1, True) + 1e-5)

    return eager(layer_norm, torch.randn(1000, 1000))


@row
def fused_adam():
    def adam(p, g, m, v):
        m = m * 0.9 + g * 0.1
        v = v * 0.999 + g * g * 0.001
        return p - 0.001 * (m / 0.1) / (torch.sqrt(v / 0.001) + 1e-8), m, v

    return eager(adam, *(torch.rand(1_000_000) for _ in range(4)))


@row
def fused_likelihood():
    def likelihood(x, mu, log_sigma):
        return torch.sum(-0.5 * ((x - mu) / torch.exp(log_sigma)) ** 2 - log_sigma - 0.9189385)

    return eager(likelihood, torch.randn(1_000_000), torch.tensor(0.1), torch.tensor(0.2))


@row
def fused_entropy():
    scores, classes = torch.randn(256, 1000, requires_grad=True), torch.randint(0, 1000, (256,))
    return lambda: torch.autograd.grad(torch.nn.functional.cross_entropy(scores, classes), scores)


def frozen(module, *arguments):
    with torch.no_grad():
        module = torch.jit.freeze(torch.jit.trace(module.eval(), arguments))
    return eager(module, *arguments)


@row
def frozen_mlp():
    linear, relu = torch.nn.Linear, torch.nn.ReLU
    net = torch.nn.Sequential(linear(10, 64), relu(), linear(64, 64), relu(), linear(64, 1))
    return frozen(net, torch.randn(32, 10))


class Cell(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.input, self.hidden = torch.nn.Linear(16, 128), torch.nn.Linear(32, 128)

    def forward(self, x, h, c):
        gates = (self.input(x) + self.hidden(h)).chunk(4, 1)
        state = torch.sigmoid(gates[1]) * c + torch.sigmoid(gates[0]) * torch.tanh(gates[2])
        return torch.sigmoid(gates[3]) * torch.tanh(state), state


@row
def frozen_cell():
    return frozen(Cell(), torch.randn(32, 16), torch.randn(32, 32), torch.randn(32, 32))


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        for name in "qkvo":
            setattr(self, name, torch.nn.Linear(64, 64))
        self.norm1, self.norm2 = torch.nn.LayerNorm(64), torch.nn.LayerNorm(64)
        self.wide, self.narrow = torch.nn.Linear(64, 256), torch.nn.Linear(256, 64)

    def forward(self, x):
        y = self.norm1(x)
        q, k, v = (f(y).view(8, 20, 4, 16).transpose(1, 2) for f in (self.q, self.k, self.v))
        scores = torch.matmul(q, k.transpose(2, 3)) / 4
        z = torch.matmul(torch.softmax(scores, -1), v).transpose(1, 2).reshape(8, 20, 64)
        x = x + self.o(z)
        return x + self.narrow(torch.nn.functional.gelu(self.wide(self.norm2(x))))


@row
def frozen_block():
    return frozen(Block(), torch.randn(8, 20, 64))


ready = {}
for line in sys.stdin:
    name, n = line.split()
    if name not in ready:
        ready[name] = rows[name]()
    work, n = ready[name], int(n)
    gc.collect()
    start = time.perf_counter()
    for _ in range(n):
        work()
    print(repr((time.perf_counter() - start) / n), flush=True)
