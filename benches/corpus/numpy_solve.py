import numpy as np

rng = np.random.default_rng(1)
a = rng.normal(size=(200, 200))
x = np.linalg.solve(a, rng.normal(size=200))
print(x.shape, float(np.abs(x).max()) > 0)
