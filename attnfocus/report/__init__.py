"""What people look at: the screen, TensorBoard, metrics.jsonl, train.log, tables and figures.

Import the module that you need; each loads its own library (rich, matplotlib, tensorboard) and no other.
"""
