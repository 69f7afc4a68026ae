"""What a pod can be asked for, besides masking."""
