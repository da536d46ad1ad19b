"""torch.nn.functional.cross_entropy of torch.nn.functional.linear."""
from torch_loss import reference, serve_torch

serve_torch(reference, "eager")
