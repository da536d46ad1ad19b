"""torch.nn.functional.cross_entropy of torch.nn.functional.linear, under torch.compile."""
import torch
from torch_loss import reference, serve_torch

serve_torch(torch.compile(reference), "torch.compile")
