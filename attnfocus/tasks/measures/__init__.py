"""What an evaluation measures of outputs and weights besides the loss."""
