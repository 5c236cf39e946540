"""Damaged model files, made from whole ones by a seeded mutator, against `refq.load`.

A case is named by its seed file and a number, `residual.onnx#17`; `python -m tests.fuzz.replay residual.onnx#17 FOLDER`
makes its file again.
"""
