"""What listens to a training run and writes it down or shows it. Each file is one tracker.

Import the module that you need; each loads its own library (rich, tensorboard) and no other.
"""
