"""A local AWS on loopback, and Terraform roots applied to it: what `ai-jobs local` does."""
