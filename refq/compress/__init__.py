"""Compression of codes: what the stored bits can still lose."""

from refq.compress.huffman import (
    HuffmanCode,
    huffman_bits,
    huffman_bits_per_weight,
    huffman_decode,
    huffman_encode,
    huffman_report,
)

__all__ = [
    "HuffmanCode",
    "huffman_bits",
    "huffman_bits_per_weight",
    "huffman_decode",
    "huffman_encode",
    "huffman_report",
]
