"""The certificate of every TLS listener. `collect.ask` collects them, `expiry` judges."""
