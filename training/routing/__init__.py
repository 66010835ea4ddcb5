"""How well requests are routed: strong or weak, and among many models. README.md has the results."""
