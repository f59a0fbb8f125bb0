"""What all verbs draw with: the screen, tables, figures, numbers as text.

Import the module that you need; each loads its own library (rich, matplotlib) and no other.
"""
