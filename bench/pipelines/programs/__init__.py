"""What the peers run: none of it imports anything of ours, so that its costs are its own."""
