"""How engines lay layers out: blocks, staged weights, maps on chip of micro-block arrays; row-stationary sets."""
